const BEAT_MS = 1_000
const MISSED = 2

/**
 * Finds out that a connection is dead although nobody has closed it, within three seconds.
 *
 * It counts beats that were not answered, and not time: a process that was itself held up has missed one.
 */
export class Heartbeat {
  readonly #beat: () => void
  readonly #silent: () => void
  #unanswered = 0
  readonly #timer: NodeJS.Timeout

  /** @param beat asks for an answer; @param silent called every three seconds for which there was none */
  constructor(beat: () => void, silent: () => void) {
    this.#beat = beat
    this.#silent = silent
    this.#timer = setInterval(() => this.#tick(), BEAT_MS).unref()
  }

  answered(): void {
    this.#unanswered = 0
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    if (this.#unanswered++ >= MISSED) {
      this.#unanswered = 0
      this.#silent()
    }
    this.#beat()
  }
}
