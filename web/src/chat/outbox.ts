import { failureOf, isSignedOut } from '../failure.js'
import type { LogAction, Message, Pending } from './conversation-log.js'

/**
 * What the viewer has sent in one conversation and the server has not answered yet, or has refused. It lives as long
 * as the session: a view that is left and opened again finds it here.
 */
export class Outbox {
  readonly #send: (pending: Pending, signal: AbortSignal) => Promise<Message>
  readonly #kept = new Map<string, { pending: Pending; dropped: AbortController }>()
  readonly #watchers = new Set<(action: LogAction) => void>()
  /** The end of the one before: sent side by side, one message could overtake another. */
  #last: Promise<void> = Promise.resolve()

  /** @param send tries until it is answered, under the message's own `clientMessageId`, or the signal aborts */
  constructor(send: (pending: Pending, signal: AbortSignal) => Promise<Message>) {
    this.#send = send
  }

  /** Tells what is kept, and then what becomes of it. */
  watch(watcher: (action: LogAction) => void): () => void {
    for (const { pending } of this.#kept.values()) watcher({ type: 'SENDING', pending })
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  /** Sends it after those that wait, also one that was refused before. */
  post(refusedOrNew: Pending): void {
    const pending = { ...refusedOrNew, refusal: null }
    const dropped = this.#keep(pending)
    this.#last = this.#last.then(() => this.#deliver(pending, dropped))
  }

  /** What another session of the same user left: what was refused stays so, the rest is sent. */
  takeOver(left: readonly Pending[]): void {
    for (const pending of left) {
      if (pending.refusal === null) this.post(pending)
      else this.#keep(pending)
    }
  }

  /** What was not sent, or was refused. */
  unsent(): Pending[] {
    return [...this.#kept.values()].map(({ pending }) => pending)
  }

  /** Not sent any more, unless the server has it already. */
  drop({ clientMessageId }: Pending): void {
    this.#kept.get(clientMessageId)?.dropped.abort()
    this.#kept.delete(clientMessageId)
    this.#tell({ type: 'DROPPED', clientMessageId })
  }

  close(): void {
    for (const pending of this.unsent()) this.drop(pending)
  }

  #keep(pending: Pending): AbortSignal {
    const dropped = new AbortController()
    this.#kept.delete(pending.clientMessageId)
    this.#kept.set(pending.clientMessageId, { pending, dropped })
    this.#tell({ type: 'SENDING', pending })
    return dropped.signal
  }

  async #deliver(pending: Pending, dropped: AbortSignal): Promise<void> {
    if (dropped.aborted) return
    const { clientMessageId } = pending
    try {
      const message = await this.#send(pending, dropped)
      this.#kept.delete(clientMessageId)
      this.#tell({ type: 'SENT', clientMessageId, message })
    } catch (error) {
      if (dropped.aborted) return
      const failure = failureOf(error)
      // Nobody has refused it: it waits for the next session.
      if (isSignedOut(failure)) return
      const refusal = failure.message
      const kept = this.#kept.get(clientMessageId)
      if (kept) kept.pending = { ...pending, refusal }
      this.#tell({ type: 'REFUSED', clientMessageId, refusal })
    }
  }

  #tell(action: LogAction): void {
    for (const watcher of this.#watchers) watcher(action)
  }
}
