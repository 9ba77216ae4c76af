import type { Clock } from '../clock.js'
import { RateLimited } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { addressPrefix } from './address-prefix.js'
import { MemoryBuckets } from './buckets.js'
import { ofAddress } from './rate-limits.js'
import type { Allowance } from './token-bucket.js'

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
  readonly #buckets: MemoryBuckets

  /** @param allowance per user; null for any number */
  constructor(allowance: Allowance | null, clock: Clock) {
    this.#allowance = allowance
    this.#buckets = new MemoryBuckets(clock)
  }

  /** @throws RateLimited */
  requireFew(sender: Sender): void {
    if (!this.#allowance) return
    const waitMs = this.#buckets.waitMs(...bucketOf(sender, this.#allowance))
    if (waitMs === 0) return
    const seconds = Math.ceil(waitMs / 1000)
    throw new RateLimited(waitMs, `Too many of your documents were refused. Mend them, and try again in ${seconds} s.`)
  }

  /** One more was refused. */
  note(sender: Sender): void {
    if (this.#allowance) void this.#buckets.take(...bucketOf(sender, this.#allowance))
  }
}

function bucketOf({ viewer, address }: Sender, allowance: Allowance): [string, Allowance] {
  if (viewer) return [`REFUSALS:user:${viewer.id}`, allowance]
  return [`REFUSALS:address:${addressPrefix(address ?? '')}`, ofAddress(allowance)]
}
