/** A slow poll makes good for signals that were lost. */
export const POLL_MS = 5_000
/** What one statement asks about. */
const ASKED = 1_000

/** Asks about all that a process watches, so many in one statement, every five seconds. */
export class SlowPoll {
  readonly #watched: () => Iterable<string>
  readonly #askAbout: (ids: string[]) => Promise<void>
  #timer: NodeJS.Timeout | null = null
  #isAsking = false

  /** @param watched ids, as they are by then; @param askAbout in one statement, and does not throw */
  constructor(watched: () => Iterable<string>, askAbout: (ids: string[]) => Promise<void>) {
    this.#watched = watched
    this.#askAbout = askAbout
  }

  /** Does nothing where it runs already. */
  start(): void {
    this.#timer ??= setInterval(() => void this.#poll(), POLL_MS).unref()
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
  }

  /** Asks about some of them at once. */
  async ask(ids: string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += ASKED) await this.#askAbout(ids.slice(from, from + ASKED))
  }

  async #poll(): Promise<void> {
    // A database that takes longer than that is not asked again meanwhile.
    if (this.#isAsking) return
    this.#isAsking = true
    await this.ask([...this.#watched()]).finally(() => {
      this.#isAsking = false
    })
  }
}
