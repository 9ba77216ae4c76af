import { Listeners } from '../../src/delivery/listeners.js'
import type { Signals, Topic } from '../../src/delivery/signals.js'
import { createLogger } from '../../src/log.js'

/** Signals that go nowhere: a test wakes whom it wants to. */
export class QuietSignals implements Signals {
  readonly carrier = 'PostgreSQL'
  readonly isHearing = true
  readonly #listeners = new Listeners(createLogger('silent'))

  publish(): void {}

  subscribe(topic: Topic, wake: (payload?: string) => void): () => void {
    return this.#listeners.add(topic, wake)
  }

  onKeyChange(): () => void {
    return () => {}
  }

  wake(topic: Topic, payload?: string): void {
    this.#listeners.wake(topic, payload)
  }

  async close(): Promise<void> {}
}
