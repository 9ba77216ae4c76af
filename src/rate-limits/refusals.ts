import { boundedCache } from '../bounded-cache.js'
import type { Clock } from '../clock.js'
import { RateLimited } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { addressPrefix } from './address-prefix.js'
import { USERS_PER_ADDRESS } from './rate-limits.js'
import { type Allowance, takeToken } from './token-bucket.js'

/** Of users and addresses together. A forgotten one may have as many refused as at the beginning. */
const MAX_SENDERS = 100_000

/** Who has sent a document: the address counts for whoever has no token. */
export interface Sender {
  viewer: Pick<Viewer, 'id'> | null
  address: string | null
}

/**
 * Documents that were refused, for each sender: whoever has had too many refused has the next ones refused without a look
 * at them, which is most of what a hostile one costs.
 *
 * Each process counts for itself: to ask another one would cost as much as a look.
 */
export class Refusals {
  readonly #allowance: Allowance | null
  readonly #clock: Clock
  readonly #fullAt = boundedCache<number>(MAX_SENDERS)

  /** @param allowance per user; null for any number */
  constructor(allowance: Allowance | null, clock: Clock) {
    this.#allowance = allowance
    this.#clock = clock
  }

  /** @throws RateLimited */
  requireFew(sender: Sender): void {
    const { waitMs } = this.#after(sender)
    if (waitMs === 0) return
    const seconds = Math.ceil(waitMs / 1000)
    throw new RateLimited(waitMs, `Too many of your documents were refused. Mend them, and try again in ${seconds} s.`)
  }

  /** One more was refused. */
  note(sender: Sender): void {
    this.#fullAt.set(nameOf(sender), this.#after(sender).fullAt)
  }

  #after(sender: Sender): ReturnType<typeof takeToken> {
    if (!this.#allowance) return { fullAt: 0, waitMs: 0 }
    const { tokens, periodMs } = this.#allowance
    const allowed = { tokens: sender.viewer ? tokens : tokens * USERS_PER_ADDRESS, periodMs }
    return takeToken(this.#fullAt.get(nameOf(sender)) ?? 0, this.#clock.now().getTime(), allowed)
  }
}

function nameOf({ viewer, address }: Sender): string {
  return viewer ? `user:${viewer.id}` : `address:${addressPrefix(address ?? '')}`
}
