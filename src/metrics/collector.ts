/** A scrape waits so long for what is looked up, and then shows what was known before. */
const PATIENCE_MS = 1_000
/** Or so long, where nothing is known yet: Prometheus gives up after ten seconds. */
const FIRST_PATIENCE_MS = 5_000
/** What is looked up takes this part of the time at most, however long it takes. */
const SHARE = 20

/**
 * Looks something up when somebody reads the metrics, and not more often than it may: however many read them, and however
 * often, it is done once at a time, at most every so many milliseconds, and then for a twentieth of the time at most.
 */
export class Collector {
  readonly #collect: () => Promise<void>
  readonly #everyMs: number
  #notBeforeMs = 0
  #isKnown = false
  #running: Promise<void> | null = null

  /** @param collect fails never: what cannot be looked up it leaves out */
  constructor(collect: () => Promise<void>, everyMs: number) {
    this.#collect = collect
    this.#everyMs = everyMs
  }

  async refresh(): Promise<void> {
    if (!this.#running && performance.now() < this.#notBeforeMs) return
    this.#running ??= this.#run()
    const { promise: over, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, this.#isKnown ? PATIENCE_MS : FIRST_PATIENCE_MS)
    await Promise.race([this.#running, over])
    clearTimeout(timer)
  }

  async #run(): Promise<void> {
    const startedAt = performance.now()
    try {
      await this.#collect()
    } finally {
      const endedAt = performance.now()
      this.#notBeforeMs = Math.max(startedAt + this.#everyMs, endedAt + (SHARE - 1) * (endedAt - startedAt))
      this.#running = null
      this.#isKnown = true
    }
  }
}
