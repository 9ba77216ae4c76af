import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { type ActivityLimit, signalActivity } from './activity.js'

/**
 * Tells members how far others have read, and the reader's other windows what was: at once, or, where that is too often,
 * the latest as soon as it may be told. The mark itself stands in the table.
 */
export class ReadMarks {
  readonly #signals: Services['signals']
  readonly #limit: ActivityLimit
  /** Marks that wait, the latest of each member in each conversation. */
  readonly #waiting = new Map<string, number>()

  constructor(signals: Services['signals'], limit: ActivityLimit) {
    this.#signals = signals
    this.#limit = limit
  }

  async tell(viewer: Viewer, conversationId: string, sequence: number): Promise<void> {
    const key = `${conversationId} ${viewer.id}`
    const waitMs = this.#waiting.has(key) ? 0 : await this.#limit.waitMs(viewer, conversationId)
    const latest = this.#waiting.get(key)
    if (latest !== undefined) {
      // Marks never move back.
      this.#waiting.set(key, Math.max(latest, sequence))
    } else if (waitMs > 0) {
      this.#waiting.set(key, sequence)
      setTimeout(() => void this.#tellLatest(key, viewer, conversationId), waitMs).unref()
    } else {
      signalActivity({ signals: this.#signals }, conversationId, { kind: 'READ', userId: viewer.id, sequence })
      this.#signals.publish(`marks:${viewer.id}`, conversationId)
    }
  }

  async #tellLatest(key: string, viewer: Viewer, conversationId: string): Promise<void> {
    const sequence = this.#waiting.get(key) ?? 0
    this.#waiting.delete(key)
    await this.tell(viewer, conversationId, sequence)
  }
}
