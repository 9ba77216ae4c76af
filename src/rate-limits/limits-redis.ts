import { type Cluster, Redis } from 'ioredis'
import type { Logger } from '../log.js'
import { openRedisCluster } from '../redis-cluster.js'
import { parseRedisCluster } from '../redis-url.js'
import { refusalOfWrites } from '../redis-writes.js'

/** For an answer: nobody waits longer for a limit. */
const ANSWER_MS = 250
const RETRY_MS = 500
const OPTIONS = {
  connectionName: 'conclave-limits',
  connectTimeout: 3_000,
  commandTimeout: ANSWER_MS,
  maxRetriesPerRequest: 0
}
const AT_ONCE = { enableOfflineQueue: false, retryStrategy: () => RETRY_MS }

/** A script by its name: its key, and then its arguments. */
type Script = (key: string, ...values: (string | number)[]) => Promise<number>

/** The connection on which processes count together what they hold their users to. Every script has one key. */
export class LimitsRedis {
  readonly #redis: Redis | Cluster
  readonly #log: Logger
  #isAway = false
  #isClosed = false

  constructor(url: string, log: Logger) {
    const cluster = parseRedisCluster(url)
    this.#redis = cluster
      ? openRedisCluster(cluster, OPTIONS, { enableOfflineQueue: false, clusterRetryStrategy: () => RETRY_MS })
      : new Redis(url, { ...OPTIONS, ...AT_ONCE })
    this.#redis.on('error', (error: Error) => this.#away(error))
    this.#log = log
  }

  /** Calls back whenever there is a connection, and another one. */
  onConnected(connected: () => void): void {
    this.#redis.on('ready', connected)
  }

  /** @returns the script, to be called. It answers null while Redis is away, or slow: it may have run all the same */
  script(name: string, lua: string): (...args: Parameters<Script>) => Promise<number | null> {
    this.#redis.defineCommand(name, { numberOfKeys: 1, lua })
    return async (...args) => {
      try {
        const answer = await (this.#redis as unknown as Record<string, Script>)[name]?.(...args)
        this.#isAway = false
        return answer ?? null
      } catch (error) {
        this.#away(error as Error)
        return null
      }
    }
  }

  /** Whether it answers and takes no writes: then no job is queued, and none is fetched. */
  async refusesWrites(): Promise<boolean> {
    return await refusalOfWrites(this.#redis).then(
      (refusal) => refusal !== null,
      () => false
    )
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#redis.disconnect()
  }

  #away(error: Error): void {
    if (this.#isClosed) return
    if (!this.#isAway) this.#log.warn({ reason: error }, 'limits are those of each process until Redis is back')
    this.#isAway = true
  }
}
