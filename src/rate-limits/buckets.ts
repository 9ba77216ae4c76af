import { boundedCache } from '../bounded-cache.js'
import type { Clock } from '../clock.js'
import { type Allowance, takeToken } from './token-bucket.js'

/** Token buckets by name. */
export interface Buckets {
  /** @returns 0, or after how many milliseconds there is a token */
  take(name: string, allowance: Allowance): Promise<number>
}

/** Of each kind of bucket. Forgotten ones are full again: addresses that come and go make no user's be forgotten. */
const MAX_BUCKETS = 100_000

/** Whatever an id has in it. */
const ADDRESS = /^\w+:address:/

/** Of this process alone. */
export class MemoryBuckets implements Buckets {
  readonly #clock: Clock
  readonly #ofAddresses = boundedCache<number>(MAX_BUCKETS)
  readonly #ofUsers = boundedCache<number>(MAX_BUCKETS)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async take(name: string, allowance: Allowance): Promise<number> {
    const { fullAt, waitMs } = this.#after(name, allowance)
    this.#of(name).set(name, fullAt)
    return waitMs
  }

  /** What {@link take} would give; nothing is taken. */
  waitMs(name: string, allowance: Allowance): number {
    return this.#after(name, allowance).waitMs
  }

  #after(name: string, allowance: Allowance): ReturnType<typeof takeToken> {
    return takeToken(this.#of(name).get(name) ?? 0, this.#clock.now().getTime(), allowance)
  }

  #of(name: string) {
    return ADDRESS.test(name) ? this.#ofAddresses : this.#ofUsers
  }
}
