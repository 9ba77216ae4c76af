/** Of answers that overtake each other, takes none that was asked for before one that is here already. */
export class AnswerOrder {
  #asked = 0
  readonly #taken = new Map<string, number>()

  /** @returns the number of the question */
  ask(): number {
    this.#asked += 1
    return this.#asked
  }

  /** Whether the answer to this question is the newest that there is of a thing. */
  take(id: string, question: number): boolean {
    if (question < (this.#taken.get(id) ?? 0)) return false
    this.#taken.set(id, question)
    return true
  }
}
