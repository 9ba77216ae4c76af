import type { Buckets } from './buckets.js'
import type { LimitsRedis } from './limits-redis.js'
import type { Allowance } from './token-bucket.js'

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

/** Of all processes together, one round trip each. While Redis is away, or slow, each process counts for itself. */
export class RedisBuckets implements Buckets {
  readonly #take: ReturnType<LimitsRedis['script']>
  readonly #meanwhile: Buckets

  constructor(redis: LimitsRedis, meanwhile: Buckets) {
    this.#take = redis.script('takeToken', TAKE)
    this.#meanwhile = meanwhile
  }

  async take(name: string, allowance: Allowance): Promise<number> {
    const waitMs = await this.#take(`conclave:rate:${name}`, allowance.tokens, allowance.periodMs)
    return waitMs ?? (await this.#meanwhile.take(name, allowance))
  }
}
