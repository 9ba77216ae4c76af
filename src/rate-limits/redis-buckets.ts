import { type Cluster, Redis } from 'ioredis'
import type { Logger } from '../log.js'
import { openRedisCluster } from '../redis-cluster.js'
import { parseRedisCluster } from '../redis-url.js'
import type { Buckets } from './buckets.js'
import type { Allowance } from './token-bucket.js'

/** For an answer: nobody waits longer for a limit. */
const ANSWER_MS = 250
const RETRY_MS = 500
const OPTIONS = {
  connectionName: 'conclave-rate-limits',
  connectTimeout: 3_000,
  commandTimeout: ANSWER_MS,
  maxRetriesPerRequest: 0
}
const AT_ONCE = { enableOfflineQueue: false, retryStrategy: () => RETRY_MS }

/** `takeToken`, by the clock of Redis: that of a process may be another. */
const TAKE = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + time[2] / 1000
  local tokens, period = tonumber(ARGV[1]), tonumber(ARGV[2])
  local from = math.min(math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now), now + period)
  local next = from + period / tokens
  local wait = math.ceil(next - now - period)
  if wait > 0 then return wait end
  redis.call('SET', KEYS[1], string.format('%.3f', next), 'PX', math.ceil(next - now) + 1)
  return 0`

interface WithTake {
  takeToken(name: string, tokens: number, periodMs: number): Promise<number>
}

/** Of all processes together, one round trip each. While Redis is away, or slow, each process counts for itself. */
export class RedisBuckets implements Buckets {
  readonly #redis: (Redis | Cluster) & WithTake
  readonly #meanwhile: Buckets
  readonly #log: Logger
  #isAway = false

  constructor(url: string, meanwhile: Buckets, log: Logger) {
    const cluster = parseRedisCluster(url)
    const redis = cluster
      ? openRedisCluster(cluster, OPTIONS, { enableOfflineQueue: false, clusterRetryStrategy: () => RETRY_MS })
      : new Redis(url, { ...OPTIONS, ...AT_ONCE })
    redis.on('error', (error: Error) => this.#away(error))
    redis.defineCommand('takeToken', { numberOfKeys: 1, lua: TAKE })
    this.#redis = redis as (Redis | Cluster) & WithTake
    this.#meanwhile = meanwhile
    this.#log = log
  }

  async take(name: string, allowance: Allowance): Promise<number> {
    try {
      const waitMs = await this.#redis.takeToken(`conclave:rate:${name}`, allowance.tokens, allowance.periodMs)
      this.#isAway = false
      return waitMs
    } catch (error) {
      this.#away(error as Error)
      return await this.#meanwhile.take(name, allowance)
    }
  }

  async close(): Promise<void> {
    this.#redis.disconnect()
  }

  #away(error: Error): void {
    if (!this.#isAway) this.#log.warn({ reason: error }, 'rate limits are those of each process until Redis is back')
    this.#isAway = true
  }
}
