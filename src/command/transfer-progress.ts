import type { SingleBar } from 'cli-progress'
import { progressBar } from './progress-bar.js'

/**
 * How far a transfer is, on standard error: a bar on a terminal where it is known how much there is, a count on one line
 * that is written over where it is not, or JSON lines.
 */
export class TransferProgress {
  readonly #json: boolean
  readonly #bar: SingleBar
  #words = ''
  #shows: 'nothing' | 'count' | 'bar' = 'nothing'

  constructor({ json }: { json: boolean }, doing: string) {
    this.#json = json
    this.#bar = progressBar(doing, '{words}')
  }

  /** @param record for programs, and `words` for people */
  show(record: object, words: string): void {
    this.#words = words
    if (this.#json) process.stderr.write(`${JSON.stringify(record)}\n`)
    else if (this.#shows === 'bar') this.#bar.update({ words })
    else this.#count(words)
  }

  /** @param share of the whole, 0 to 1 */
  reach(share: number): void {
    if (this.#json || !process.stderr.isTTY) return
    if (this.#shows !== 'bar') this.#bar.start(1, 0, { words: this.#words })
    this.#shows = 'bar'
    this.#bar.update(share)
  }

  #count(words: string): void {
    process.stderr.write(`\r${words}`)
    this.#shows = 'count'
  }

  /** Whatever follows begins a line of its own. */
  end(): void {
    if (this.#shows === 'bar') this.#bar.stop()
    if (this.#shows === 'count') process.stderr.write('\n')
  }
}
