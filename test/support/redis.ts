import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from './program.js'

export interface TestRedis {
  url: string
  stop(): Promise<void>
}

/** Whether tests can have a Redis: the one of REDIS_URL, or a `redis-server` on this machine to start. */
export const canStartRedis = isInstalled()
export const hasRedis = process.env.REDIS_URL !== undefined || canStartRedis

/** The Redis of REDIS_URL, or one of our own. */
export async function startRedis(): Promise<TestRedis> {
  return process.env.REDIS_URL ? { url: process.env.REDIS_URL, stop: async () => {} } : await RedisServer.start()
}

/** Why a Redis refuses writes. */
export type RefusalCause = 'it is full' | 'it cannot save' | 'it is a replica'

const CAUSES: Record<RefusalCause, Record<'begin' | 'end', (redis: RedisServer) => Promise<unknown>>> = {
  'it is full': {
    begin: (redis) => redis.ask('CONFIG', 'SET', 'maxmemory', '1'),
    end: (redis) => redis.ask('CONFIG', 'SET', 'maxmemory', '0')
  },
  'it cannot save': {
    async begin(redis) {
      // In the place of the file that it would write.
      mkdirSync(join(redis.folder, 'dump.rdb'))
      await redis.ask('CONFIG', 'SET', 'save', '3600 1000000')
      await saved(redis, 'err')
    },
    async end(redis) {
      rmdirSync(join(redis.folder, 'dump.rdb'))
      await saved(redis, 'ok')
    }
  },
  'it is a replica': {
    begin: (redis) => redis.ask('REPLICAOF', '127.0.0.1', '1'),
    end: (redis) => redis.ask('REPLICAOF', 'NO', 'ONE')
  }
}

/** Has it save, until that has ended as is expected. */
async function saved(redis: RedisServer, status: 'ok' | 'err'): Promise<void> {
  await redis.ask('BGSAVE', 'SCHEDULE')
  for (;;) {
    const info = String(await redis.ask('INFO', 'persistence'))
    if (info.includes('rdb_bgsave_in_progress:0') && info.includes(`rdb_last_bgsave_status:${status}`)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** A Redis of our own, on a port and in a folder of its own, that may fail. */
export class RedisServer implements TestRedis {
  readonly port: number
  /** Where it saves to. */
  readonly folder = mkdtempSync(join(tmpdir(), 'conclave-redis-'))
  readonly #options: string[]
  #server: ChildProcess | null = null

  private constructor(port: number, options: string[]) {
    this.port = port
    this.#options = options
  }

  static async start(...options: string[]): Promise<RedisServer> {
    const redis = new RedisServer(await freePort(), options)
    await redis.start()
    return redis
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Starts it, again, on the same port, unless it runs; it may be frozen. */
  async start(): Promise<void> {
    if (this.#server) {
      this.#server.kill('SIGCONT')
      return
    }
    const fixed = ['--bind', '127.0.0.1', '--dir', this.folder, '--save', '', '--appendonly', 'no']
    const options = ['--port', String(this.port), ...fixed, ...this.#options]
    this.#server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'ignore'] })
    await untilReady(this.#server)
  }

  /** Has it say nothing any more; the system goes on taking connections for it. */
  freeze(): void {
    this.#server?.kill('SIGSTOP')
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
    rmSync(this.folder, { recursive: true })
  }

  /** Has it answer, and take no writes. */
  async refuseWrites(cause: RefusalCause): Promise<void> {
    await CAUSES[cause].begin(this)
  }

  /** Has it take writes again. */
  async takeWrites(cause: RefusalCause): Promise<void> {
    await CAUSES[cause].end(this)
  }

  /** How many connections are subscribed to a channel. */
  async subscribers(channel: string): Promise<number> {
    const [, count] = await this.ask('PUBSUB', 'NUMSUB', channel)
    return Number(count)
  }

  /** Drops every connection that is subscribed to something. */
  async dropSubscribers(): Promise<void> {
    await this.ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
  }

  /** Writes down every command that anybody gives from now on. */
  async watch(): Promise<{ stop(): string }> {
    const socket = connect(this.port, '127.0.0.1')
    socket.write('MONITOR\r\n')
    let seen = ''
    socket.setEncoding('utf8').on('data', (chunk) => {
      seen += chunk
    })
    await once(socket, 'data')
    return {
      stop() {
        socket.destroy()
        return seen
      }
    }
  }

  /** Gives a command on a connection of its own. */
  async ask(command: string, ...args: string[]): Promise<unknown[]> {
    const client = new Redis(this.url)
    try {
      return [await client.call(command, ...args)].flat()
    } finally {
      client.disconnect()
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server
    this.#server = null
    if (!server) return
    server.kill(signal)
    await once(server, 'exit')
  }
}

export interface TestRedisCluster extends TestRedis {
  nodes: readonly RedisServer[]
}

/** Two masters that share the slots, and no replicas. */
export async function startRedisCluster(): Promise<TestRedisCluster> {
  const options = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--cluster-port']
  const busPort = String(await freePort())
  const servers = [
    await RedisServer.start(...options, busPort),
    await RedisServer.start(...options, String(await freePort()))
  ] as const
  const clients = servers.map(({ url }) => new Redis(url))
  const [first, second] = clients as [Redis, Redis]
  await first.call('CLUSTER', 'ADDSLOTSRANGE', '0', '8191')
  await second.call('CLUSTER', 'ADDSLOTSRANGE', '8192', '16383')
  await second.call('CLUSTER', 'SET-CONFIG-EPOCH', '2')
  await second.call('CLUSTER', 'MEET', '127.0.0.1', String(servers[0].port), busPort)
  for (const client of clients) await untilFormed(client)
  for (const client of clients) client.disconnect()
  return {
    nodes: servers,
    url: `redis-cluster://127.0.0.1:${servers[0].port}?node=127.0.0.1:${servers[1].port}`,
    async stop() {
      for (const server of servers) await server.stop()
    }
  }
}

async function untilFormed(client: Redis): Promise<void> {
  for (;;) {
    const info = String(await client.call('CLUSTER', 'INFO'))
    if (info.includes('cluster_state:ok') && info.includes('cluster_slots_ok:16384')) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function untilReady(server: ChildProcess): Promise<void> {
  let output = ''
  for await (const chunk of server.stdout as NodeJS.ReadableStream) {
    output += chunk
    if (output.includes('Ready to accept connections')) break
  }
  // Reading on in the background: a full pipe would stop the server.
  server.stdout?.resume()
}

function isInstalled(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
