import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.js'
import { type Allowance, takeToken } from './token-bucket.js'

/** Token buckets by name. */
export interface Buckets {
  /** @returns 0, or after how many milliseconds there is a token */
  take(name: string, allowance: Allowance): Promise<number>
  close(): Promise<void>
}

/** Forgotten ones are full again: with so many, it takes more addresses than one attacker has. */
const MAX_BUCKETS = 100_000

/** Of this process alone. */
export class MemoryBuckets implements Buckets {
  readonly #clock: Clock
  readonly #fullAt = new LRUCache<string, number>({ max: MAX_BUCKETS })

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async take(name: string, allowance: Allowance): Promise<number> {
    const { fullAt, waitMs } = takeToken(this.#fullAt.get(name) ?? 0, this.#clock.now().getTime(), allowance)
    this.#fullAt.set(name, fullAt)
    return waitMs
  }

  async close(): Promise<void> {}
}
