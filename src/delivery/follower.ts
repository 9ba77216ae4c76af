import type { Viewer } from '../identity/viewer.js'
import type { MessageEvent } from './conversation-log.js'

/**
 * Takes events as they happen, without asking for them one by one.
 *
 * Consumers of one `shareKey` who see the same of a conversation's history get the same bytes, made once for all of them.
 */
export interface LiveConsumer {
  /** What is the same for everybody who has asked for the same; a symbol for one who shares with nobody. */
  shareKey: string | symbol
  /**
   * @param visibleAfter the messages up to this sequence are not shown
   * @returns what is sent; null for an event that is not
   */
  render(event: MessageEvent, visibleAfter: number): Promise<string | null>
  /**
   * @param rendered events in their order, at least one
   * @returns false when there is no room: nothing was taken, and it is read again when there is
   */
  take(rendered: readonly string[]): boolean
  /** Settles when what was taken is on its way, or nobody waits for it any more. */
  room(): Promise<void>
}

/** Why a follower has left its feed. BEHIND: there may be more than it was given, and it reads on by itself. */
export type Departure = 'BEHIND' | 'DELETED' | 'EXPIRED' | 'GONE'

/** A member who has read the log of a conversation up to `position`, and is given what follows. */
export class Follower {
  readonly viewer: Viewer
  readonly visibleAfter: number
  /** Without one, anything new is a reason to leave, and to read it. */
  readonly consumer: LiveConsumer | null
  readonly left: Promise<Departure>
  /** The change that it was given last. */
  position: number
  hasLeft = false
  readonly #settle: (departure: Departure) => void

  constructor(viewer: Viewer, visibleAfter: number, position: number, consumer: LiveConsumer | null) {
    const { promise, resolve } = Promise.withResolvers<Departure>()
    this.viewer = viewer
    this.visibleAfter = visibleAfter
    this.position = position
    this.consumer = consumer
    this.left = promise
    this.#settle = resolve
  }

  leave(departure: Departure): void {
    this.hasLeft = true
    this.#settle(departure)
  }

  /**
   * @param rendered what happened up to the change `change`, as far as it is shown
   * @returns whether it was taken
   */
  give(rendered: readonly string[], change: number, now: Date): boolean {
    if (this.hasLeft) return false
    if (this.viewer.expiresAt && this.viewer.expiresAt <= now) this.leave('EXPIRED')
    else if (rendered.length > 0 && !this.consumer?.take(rendered)) this.leave('BEHIND')
    else this.position = change
    return !this.hasLeft
  }
}

/** Whoever has no room reads nothing: each of many who stand still would hold what it has read. */
export async function untilRoom(consumer: LiveConsumer | null, signal: AbortSignal): Promise<void> {
  if (!consumer) return
  const { promise: gone, resolve: leave } = Promise.withResolvers<void>()
  const onAbort = () => leave()
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) leave()
  await Promise.race([consumer.room(), gone])
  signal.removeEventListener('abort', onAbort)
}
