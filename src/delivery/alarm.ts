/** Lets one waiter sleep until it rings; a ring while nobody waits is kept until the next reset. */
export class Alarm {
  #rung = Promise.withResolvers<void>()
  #hasRung = false
  #resetAt = performance.now()

  get hasRung(): boolean {
    return this.#hasRung
  }

  /** Since the last reset. */
  get ageMs(): number {
    return performance.now() - this.#resetAt
  }

  ring(): void {
    this.#hasRung = true
    this.#rung.resolve()
  }

  reset(): void {
    this.#hasRung = false
    this.#resetAt = performance.now()
    this.#rung = Promise.withResolvers<void>()
  }

  async wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const { promise: over, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, timeoutMs).unref()
    const end = () => resolve()
    signal.addEventListener('abort', end, { once: true })
    await Promise.race([this.#rung.promise, over])
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  }
}
