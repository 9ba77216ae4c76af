/** A slow poll makes good for signals that were lost. */
export const POLL_MS = 5_000
/** What one statement asks about. */
const ASKED = 1_000

type Tell<Answer> = (answer: Answer | undefined) => void

/** Asks about all that is watched in a process, so many in one statement, every five seconds. */
export class SlowPoll<Answer> {
  readonly #askAbout: (ids: string[]) => Promise<Map<string, Answer>>
  readonly #onFailure: (error: Error) => void
  readonly #watches = new Map<string, Set<Tell<Answer>>>()
  #soon: string[] = []
  #timer: NodeJS.Timeout | null = null
  #isPolling = false

  /** @param askAbout in one statement; @param onFailure called when that has failed: the next poll makes good for it */
  constructor(askAbout: (ids: string[]) => Promise<Map<string, Answer>>, onFailure: (error: Error) => void) {
    this.#askAbout = askAbout
    this.#onFailure = onFailure
  }

  /**
   * Has every answer about `id` told, undefined where there is none. It may be older than the watch.
   *
   * @returns a function that ends it, and does nothing the second time
   */
  watch(id: string, tell: Tell<Answer>): () => void {
    const watches = this.#watches.get(id) ?? new Set()
    this.#watches.set(id, watches.add(tell))
    this.#timer ??= setInterval(() => void this.#poll(), POLL_MS).unref()
    return () => {
      if (!watches.delete(tell) || watches.size > 0) return
      this.#watches.delete(id)
      if (this.#watches.size > 0 || !this.#timer) return
      clearInterval(this.#timer)
      this.#timer = null
    }
  }

  /** Asks about what is watched without waiting for the next poll, together with all that is to be asked in this turn. */
  askSoon(id: string): void {
    if (this.#soon.push(id) === 1) setImmediate(() => void this.#ask(this.#soon.splice(0)))
  }

  async #poll(): Promise<void> {
    // A database that takes longer than that is not asked again meanwhile.
    if (this.#isPolling) return
    this.#isPolling = true
    await this.#ask([...this.#watches.keys()])
    this.#isPolling = false
  }

  async #ask(ids: string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += ASKED) {
      const asked = ids.slice(from, from + ASKED)
      try {
        const answers = await this.#askAbout(asked)
        for (const id of asked) for (const tell of this.#watches.get(id) ?? []) tell(answers.get(id))
      } catch (error) {
        this.#onFailure(error as Error)
      }
    }
  }
}
