import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded-postgres.js'
import { freePort, InstalledProgram, type RunningProgram } from '../support/program.js'
import { RedisServer } from '../support/redis.js'
import { TcpProxy } from '../support/tcp-proxy.js'

export const JWT_SECRET = 'only for the soak, and long enough for HS256'

const PASSWORD = 'a password of the soak'

/** Two API processes and a worker on one PostgreSQL and one Redis: the plug of each can be pulled. */
export class Deployment {
  readonly #program: InstalledProgram
  readonly #folder: string
  #postgres: EmbeddedPostgres
  /** In front of PostgreSQL, whose port changes when it is restarted. */
  readonly #database: TcpProxy
  readonly #redis: RedisServer
  readonly #apis: { port: number; proxy: TcpProxy; running: RunningProgram }[] = []
  #worker: RunningProgram | null = null

  private constructor(
    program: InstalledProgram,
    folder: string,
    postgres: EmbeddedPostgres,
    database: TcpProxy,
    redis: RedisServer
  ) {
    this.#program = program
    this.#folder = folder
    this.#postgres = postgres
    this.#database = database
    this.#redis = redis
  }

  static async start(): Promise<Deployment> {
    const program = await InstalledProgram.built()
    const folder = await mkdtemp(join(tmpdir(), 'conclave-soak-'))
    await chmod(folder, 0o711)
    const postgres = await startEmbeddedPostgres(folder, PASSWORD)
    const database = await TcpProxy.start(portOf(postgres.url))
    const deployment = new Deployment(program, folder, postgres, database, await RedisServer.start())
    deployment.#worker = program.startWorker(deployment.#environment())
    await deployment.#worker.printed("Conclave's worker runs")
    for (let count = 0; count < 2; count++) {
      const port = await freePort()
      const running = await deployment.#startApi(port)
      deployment.#apis.push({ port, running, proxy: await TcpProxy.start(port) })
    }
    return deployment
  }

  /** Where clients go; each through a proxy that cuts connections. */
  get urls(): string[] {
    return this.#apis.map(({ proxy }) => `http://127.0.0.1:${proxy.port}`)
  }

  /** SIGKILL, and another in its place. */
  async killApi(index: number): Promise<void> {
    const api = this.#apis[index % this.#apis.length]
    if (!api) return
    await api.running.kill()
    api.running = await this.#startApi(api.port)
  }

  async restartPostgres(): Promise<void> {
    await this.#postgres.stop()
    this.#postgres = await startEmbeddedPostgres(this.#folder, PASSWORD)
    this.#database.retarget(portOf(this.#postgres.url))
  }

  async killRedis(): Promise<void> {
    await this.#redis.kill()
    await this.#redis.start()
  }

  cutSocket(random: number): void {
    this.#apis[Math.floor(random * this.#apis.length)]?.proxy.cutOne((random * 997) % 1)
  }

  async stop(): Promise<void> {
    for (const { proxy } of this.#apis) await proxy.stop()
    await this.#program.remove()
    await this.#database.stop()
    await this.#redis.stop()
    await this.#postgres.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** What the processes have printed: the last of each. */
  get output(): string {
    const all = [...this.#apis.map(({ running }) => running), ...(this.#worker ? [this.#worker] : [])]
    return all.map(({ output }) => output.slice(-2000)).join('\n---\n')
  }

  async #startApi(port: number): Promise<RunningProgram> {
    const running = this.#program.startApi({ ...this.#environment(), PORT: String(port) })
    await running.ready()
    return running
  }

  #environment(): Record<string, string> {
    const url = new URL(this.#postgres.url)
    url.port = String(this.#database.port)
    return {
      DATABASE_URL: url.href,
      REDIS_URL: this.#redis.url,
      MASTER_KEY: 'local:soak',
      MASTER_SECRETS: `soak=${Buffer.alloc(32, 9).toString('base64')}`,
      AUTH_JWT_SECRET: JWT_SECRET,
      // Its subscribers are one user, and the places that a process had when it was killed are free after a minute.
      SOCKETS_PER_USER: '200',
      KEY_BITS: '2048',
      LOG_LEVEL: 'warn'
    }
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port)
}
