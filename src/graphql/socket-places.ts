import { RateLimited } from '../errors.js'

/** Whoever ends one may open another at once. */
const RETRY_AFTER_MS = 1_000

/** How many connections each user keeps open in this process: sockets, event streams and downloads of exports together. */
export class SocketPlaces {
  readonly #max: number
  readonly #taken = new Map<string, number>()

  constructor(max: number) {
    this.#max = max
  }

  /**
   * @returns what gives the place back
   * @throws RateLimited when there is none left
   */
  take(userId: string): () => void {
    const taken = this.#taken.get(userId) ?? 0
    if (taken >= this.#max) {
      throw new RateLimited(RETRY_AFTER_MS, 'Too many sockets, event streams and downloads of one user. End one first.')
    }
    this.#taken.set(userId, taken + 1)
    return () => {
      const left = (this.#taken.get(userId) ?? 1) - 1
      if (left > 0) this.#taken.set(userId, left)
      else this.#taken.delete(userId)
    }
  }
}
