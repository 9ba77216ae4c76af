import { RateLimited } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { addressPrefix } from './address-prefix.js'
import type { Buckets } from './buckets.js'
import { shortenedId } from './shortened-id.js'
import type { Allowance } from './token-bucket.js'

/** What is counted: messages sent, edited and deleted; conversations and members; operations on keys; connections. */
export type Limited = 'SENDS' | 'MARKS' | 'CREATES' | 'KEY_OPERATIONS' | 'CONNECTIONS'

/** Per user, also of the documents that are refused; null for none at all. */
export type RateLimitConfig = Record<Limited | 'REFUSALS', Allowance> | null

/** Behind one address there may be a whole house. */
const USERS_PER_ADDRESS = 20

/** What an address may, where a user may so much. */
export function ofAddress({ tokens, periodMs }: Allowance): Allowance {
  return { tokens: tokens * USERS_PER_ADDRESS, periodMs }
}

/** Holds users, and the addresses that they come from, to how often they may do something. */
export class RateLimits {
  readonly #limits: RateLimitConfig
  readonly #buckets: Buckets

  constructor(limits: RateLimitConfig, buckets: Buckets) {
    this.#limits = limits
    this.#buckets = buckets
  }

  /**
   * @param address null where it is not known
   * @throws RateLimited
   */
  async require(what: Limited, { id }: Pick<Viewer, 'id'>, address: string | null): Promise<void> {
    if (!this.#limits) return
    const allowance = this.#limits[what]
    // Users first: what they are refused must not be taken from everybody behind the same address.
    const waitMs =
      (await this.#buckets.take(`${what}:user:${shortenedId(id)}`, allowance)) ||
      (await this.addressWaitMs(what, address))
    if (waitMs > 0) throw new RateLimited(waitMs)
  }

  /** For what has no user yet. @returns 0, or after how many milliseconds it may be tried again */
  async addressWaitMs(what: Limited, address: string | null): Promise<number> {
    if (!this.#limits || address === null) return 0
    return await this.#buckets.take(`${what}:address:${addressPrefix(address)}`, ofAddress(this.#limits[what]))
  }
}
