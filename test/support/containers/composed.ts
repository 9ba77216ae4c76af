import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import pg from 'pg'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/database/embedded-postgres.js'
import { freePort, type RunningProgram } from '../program.js'
import { providerClientPath } from '../providers/provider-tools.js'
import { StartedProcess } from '../started-process.js'
import { type ComposeFile, composeFile, placesOf, serviceOf } from './compose-file.js'
import { type Containment, isHealthy, startContained } from './contained-process.js'
import type { ImageTree } from './image-tree.js'

/**
 * compose.yaml on this machine: its scripts, commands, users and environments, with addresses of this run in the place
 * of its names, folders in the place of its volumes, and processes in the place of its containers.
 */
export class Composed {
  readonly #tree: ImageTree
  readonly #file: ComposeFile
  readonly #folder = mkdtempSync(join(tmpdir(), 'conclave-compose-'))
  #postgres: EmbeddedPostgres | null = null
  #redis: StartedProcess | null = null
  #openbao: StartedProcess | null = null
  /** By the names that containers know them under. */
  readonly #addresses = new Map<string, string>()
  readonly #running: RunningProgram[] = []

  constructor(tree: ImageTree) {
    this.#tree = tree
    this.#file = composeFile()
    for (const name of ['secrets', 'postgres']) mkdirSync(join(this.#folder, name))
    for (const name of ['', 'postgres']) chmodSync(join(this.#folder, name), 0o711)
  }

  get secrets(): string {
    return join(this.#folder, 'secrets')
  }

  async makeSecrets(): Promise<void> {
    await this.#once('secrets')
  }

  /** PostgreSQL, Redis and OpenBao, each with the secrets that it was given. */
  async startStores(): Promise<void> {
    this.#postgres = await startEmbeddedPostgres(join(this.#folder, 'postgres'), 'a password of these tests')
    this.#addresses.set('postgres:5432', new URL(this.#postgres.url).host)
    await this.#initialiseDatabase(this.#postgres.url)
    this.#addresses.set('redis:6379', `127.0.0.1:${await freePort()}`)
    await this.#startRedis()
    this.#addresses.set('openbao:8200', `127.0.0.1:${await freePort()}`)
    for (const name of readdirSync(this.secrets).filter((name) => name.endsWith('-url'))) {
      const path = join(this.secrets, name)
      // In its place: it stays whose it is.
      writeFileSync(path, this.#withAddresses(readFileSync(path, 'utf8')))
    }
    await this.startOpenBao()
  }

  async startOpenBao(): Promise<void> {
    const { command, env } = this.#commandOf('openbao')
    const { hostname = '', healthcheck } = serviceOf(this.#file, 'openbao')
    const called = ['--uts', 'sh', '-ec', 'hostname "$0" && exec "$@"', hostname, ...command]
    this.#openbao = new StartedProcess('unshare', called, join(this.#folder, 'openbao.log'), env)
    const [, status = '', ...more] = healthcheck?.test ?? []
    await this.#openbao.untilReady(() => promisify(execFile)(status, more, { env }))
  }

  async makeTransitKey(): Promise<void> {
    await this.#once('transit')
  }

  /** OpenBao in dev mode has everything in memory. */
  async stopOpenBao(): Promise<void> {
    await this.#openbao?.stop()
    this.#openbao = null
  }

  /** A process of this project's image. @param env beside the one of compose.yaml */
  start(name: string, env: Record<string, string> = {}): RunningProgram {
    const program = this.run(name, serviceOf(this.#file, name).command ?? [], env)
    this.#running.push(program)
    return program
  }

  /** Another command in such a container, as `docker compose exec` does. */
  run(name: string, command: string[], env: Record<string, string> = {}): RunningProgram {
    return startContained(this.#tree, [...this.#tree.process.entrypoint, ...command], this.#containment(name, env))
  }

  #containment(name: string, env: Record<string, string> = {}): Containment {
    return { user: serviceOf(this.#file, name).user, env: { ...this.#environmentOf(name), ...env } }
  }

  /** By its own check, or else that of the image. */
  async isHealthy(name: string, env: Record<string, string>): Promise<boolean> {
    const check = serviceOf(this.#file, name).healthcheck?.test?.slice(1)
    return await isHealthy(this.#tree, this.#containment(name, env), check)
  }

  async close(): Promise<void> {
    for (const program of this.#running) await program.interrupt()
    await this.stopOpenBao()
    await this.#redis?.stop()
    await this.#postgres?.stop()
    rmSync(this.#folder, { recursive: true })
  }

  async #once(name: string): Promise<void> {
    const { command, env } = this.#commandOf(name)
    const [program = '', ...args] = command
    await promisify(execFile)(program, args, { env })
  }

  /** Of a container of another image: its program is this machine's. */
  #commandOf(name: string): { command: string[]; env: Record<string, string> } {
    const { entrypoint = [], command = [] } = serviceOf(this.#file, name)
    const PATH = [providerClientPath, process.env.PATH].join(delimiter)
    return {
      command: [...entrypoint, ...command].map((argument) => this.#localised(name, argument)),
      env: { PATH, HOME: this.#folder, ...this.#environmentOf(name) }
    }
  }

  #environmentOf(name: string): Record<string, string> {
    const { environment: env = {} } = serviceOf(this.#file, name)
    return Object.fromEntries(Object.entries(env).map(([key, value]) => [key, this.#localised(name, value)]))
  }

  /** What stands in compose.yaml, with paths and addresses of this machine. `$$` is its way of writing `$`. */
  #localised(name: string, text: string): string {
    const place = placesOf(serviceOf(this.#file, name), { secrets: this.secrets })
    const placed = text.replaceAll('$$', '$').replace(/\/(secrets|deploy)[\w./-]*/g, place)
    return this.#withAddresses(placed).replace(
      /(0\.0\.0\.0|127\.0\.0\.1):8200/,
      this.#addresses.get('openbao:8200') ?? ''
    )
  }

  #withAddresses(text: string): string {
    return [...this.#addresses].reduce((written, [name, address]) => written.replaceAll(name, address), text)
  }

  async #startRedis(): Promise<void> {
    const port = Number(this.#addresses.get('redis:6379')?.split(':')[1])
    const [program = '', ...args] = this.#commandOf('redis').command
    const here = ['--port', String(port), '--bind', '127.0.0.1', '--dir', this.#folder]
    this.#redis = new StartedProcess(program, [...args, ...here], join(this.#folder, 'redis.log'))
    const password = readFileSync(join(this.secrets, 'redis-password'), 'utf8').trim()
    await this.#redis.untilReady(async () => {
      const client = new Redis({ port, password, lazyConnect: true, retryStrategy: () => null })
      client.on('error', () => {})
      try {
        await client.connect()
        await client.ping()
      } finally {
        client.disconnect()
      }
    })
  }

  /** Makes what the server's own start has made anew, by the file that the image of PostgreSQL gives to psql. */
  async #initialiseDatabase(url: string): Promise<void> {
    const client = new pg.Client({ connectionString: Object.assign(new URL(url), { pathname: '/postgres' }).href })
    await client.connect()
    try {
      await client.query('drop database conclave')
      const { rows } = await client.query<{ name: string }>(
        `select quote_ident(rolname) as name from pg_roles where rolname like 'conclave\\_%'`
      )
      for (const { name } of rows) await client.query(`drop role ${name}`)
      for (const statement of this.#databaseStatements()) await client.query(statement)
    } finally {
      await client.end()
    }
  }

  /** The file's statements, with what its `\set` read. */
  #databaseStatements(): string[] {
    const place = placesOf(serviceOf(this.#file, 'postgres'), { secrets: this.secrets })
    const variables = new Map<string, string>()
    const statements: string[] = []
    for (const line of readFileSync(place('/docker-entrypoint-initdb.d/database.sql'), 'utf8').split('\n')) {
      const [, name, path] = /^\\set (\w+) `cat (\S+)`$/.exec(line) ?? []
      if (name && path) variables.set(name, readFileSync(place(path), 'utf8').trim())
      else if (line !== '' && !line.startsWith('--'))
        statements.push(line.replace(/:'(\w+)'/g, (_, name) => pg.escapeLiteral(variables.get(name) ?? '')))
    }
    return statements
  }
}
