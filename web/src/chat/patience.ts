/** Says at which looks it is time to do something that may be in vain: at the first, then ever more seldom. */
export class Patience {
  readonly #most: number
  #wait = 1
  #left = 1

  /** @param most looks between two times, at most */
  constructor(most: number) {
    this.#most = most
  }

  /** Something has changed: the next look is the first again. */
  reset(): void {
    this.#wait = 1
    this.#left = 1
  }

  /** To be asked once for each look. */
  isTime(): boolean {
    this.#left--
    if (this.#left > 0) return false
    this.#wait = Math.min(2 * this.#wait, this.#most)
    this.#left = this.#wait
    return true
  }
}
