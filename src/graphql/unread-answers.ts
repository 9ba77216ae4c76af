import type { ServerResponse } from 'node:http'

/** How long a client may take to read what there is for it, when the server stops. */
const TAKE_WAIT_MS = 2_000

/** Answers over HTTP that are not over. Of a client that does not read its own a server must not wait to stop. */
export class UnreadAnswers {
  readonly #answers = new Set<ServerResponse>()

  add(answer: ServerResponse): void {
    this.#answers.add(answer)
    answer.once('close', () => this.#answers.delete(answer))
  }

  /** From now on cuts off whoever does not read. What is not known yet is waited for. */
  cut(): NodeJS.Timeout {
    let waiting = new Set<ServerResponse>()
    return setInterval(() => {
      const full = [...this.#answers].filter(
        ({ writableEnded, writableNeedDrain }) => writableEnded || writableNeedDrain
      )
      for (const answer of full) if (waiting.has(answer)) answer.destroy()
      waiting = new Set(full)
    }, TAKE_WAIT_MS).unref()
  }
}
