/** How far a transfer is, on standard error: on one line that is written over, or as JSON lines. */
export class ProgressLine {
  readonly #json: boolean
  #open = false

  constructor({ json }: { json: boolean }) {
    this.#json = json
  }

  show(progress: object, words: string): void {
    process.stderr.write(this.#json ? `${JSON.stringify(progress)}\n` : `\r${words}`)
    this.#open = !this.#json
  }

  /** Whatever follows begins a line of its own. */
  end(): void {
    if (this.#open) process.stderr.write('\n')
    this.#open = false
  }
}
