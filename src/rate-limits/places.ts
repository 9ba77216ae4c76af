import { randomBytes } from 'node:crypto'
import { RateLimited } from '../errors.js'
import type { RedisPlaces } from './redis-places.js'
import { shortenedId } from './shortened-id.js'

/** Whoever ends one may open another at once. */
const RETRY_AFTER_MS = 1_000
const PLACE_BYTES = 12

/**
 * How many connections each user keeps open: sockets, event streams and downloads of exports together, of all processes
 * where they have a Redis in common, and of this one else.
 */
export class Places {
  readonly #max: number
  readonly #shared: RedisPlaces | null
  readonly #taken = new Map<string, number>()

  constructor(max: number, shared: RedisPlaces | null) {
    this.#max = max
    this.#shared = shared
  }

  /**
   * @returns what gives the place back. Whoever has gone while this was asked has to call it at once
   * @throws RateLimited when there is none left
   */
  async take(userId: string): Promise<() => void> {
    const user = shortenedId(userId)
    // Here as well: without Redis, too, nobody has more of this process.
    const taken = this.#taken.get(user) ?? 0
    if (taken >= this.#max) throw noPlace()
    this.#taken.set(user, taken + 1)
    const place = randomBytes(PLACE_BYTES).toString('base64url')
    if (this.#shared && !(await this.#shared.take(user, place, this.#max))) {
      this.#free(user)
      throw noPlace()
    }
    return () => {
      this.#shared?.giveBack(user, place)
      this.#free(user)
    }
  }

  #free(user: string): void {
    const left = (this.#taken.get(user) ?? 1) - 1
    if (left > 0) this.#taken.set(user, left)
    else this.#taken.delete(user)
  }
}

function noPlace(): RateLimited {
  return new RateLimited(RETRY_AFTER_MS, 'Too many sockets, event streams and downloads of one user. End one first.')
}
