import type { Viewer } from '../identity/viewer.js'
import type { Message } from '../message/message.js'
import type { Services } from '../services.js'
import { readLog } from './read-log.js'

export interface MessageEvent {
  type: 'SENT' | 'EDITED' | 'DELETED'
  message: Message
}

export interface LogRange {
  /** The cursor: the change that was seen last. */
  after: number
  /** The latest change when the stream began. */
  horizon: number
}

/** Messages of up to MAX_BODY_BYTES that a stream holds at a time. */
const BATCH = 50
/** What a consumer has not taken by then is forgotten, and read again: one that stands still holds next to nothing. */
const STALLED_MS = 1_000

/** The log of one conversation as one member reads it: a position, and never a queue. */
export class ConversationLog {
  readonly conversationId: string
  readonly #range: LogRange
  #position: number
  /** What was read and not taken yet. */
  #ahead: Message[] = []
  #readFrom: number
  /** The last change that the last read has found; and whether it was all there is. */
  #foundUpTo: number
  #foundAll = false
  /** The latest change of the conversation at the last read. */
  #end = 0
  #stalled: NodeJS.Timeout | null = null
  #visibleAfter = 0

  constructor(conversationId: string, range: LogRange) {
    this.conversationId = conversationId
    this.#range = range
    this.#position = range.after
    this.#readFrom = range.after
    this.#foundUpTo = range.after
  }

  get position(): number {
    return this.#position
  }

  /** Messages up to this sequence are not shown to the member who reads. */
  get visibleAfter(): number {
    return this.#visibleAfter
  }

  /** Whether the last read may have left something that was not taken. */
  get hasMore(): boolean {
    return !this.#foundAll || this.#position < this.#foundUpTo
  }

  /** Reads what follows the position, up to a batch. @returns why it cannot be read any more */
  async read(services: Pick<Services, 'database'>, viewer: Viewer): Promise<'READ' | 'REMOVED' | 'DELETED'> {
    this.#readFrom = this.#position
    const read = await readLog(services, viewer, this.conversationId, this.#position, BATCH)
    if (read.state !== 'READ') return read.state
    this.#ahead = read.messages
    this.#visibleAfter = read.visibleAfter
    this.#foundUpTo = read.messages.at(-1)?.change ?? this.#position
    this.#foundAll = read.messages.length < BATCH
    this.#end = read.lastChange
    return 'READ'
  }

  /** Goes on from a later position, up to which somebody else has seen to the events. */
  moveTo(position: number): void {
    this.#ahead = []
    this.#position = position
    this.#foundAll = false
  }

  /** The next event of the last read, and moves behind it; null when there is none, or it was forgotten. */
  take(): MessageEvent | null {
    const message = this.#ahead.shift()
    if (!message) {
      // What lies behind is not shown to this member, and was passed by all the same.
      if (!this.hasMore) this.#position = Math.max(this.#position, this.#end)
      return null
    }
    if (this.#ahead.length > 0) this.#forgetLater()
    this.#position = message.change
    // What had happened before the stream began is news against the cursor, what happens now against the last read.
    const seen = message.change <= this.#range.horizon ? this.#range.after : this.#readFrom
    return { type: eventType(message, seen), message }
  }

  #forgetLater(): void {
    this.#stalled ??= setTimeout(() => {
      this.#ahead = []
      this.#stalled = null
    }, STALLED_MS).unref()
    this.#stalled.refresh()
  }
}

/** What happened, for somebody who has seen everything up to the change `seen`. */
export function eventType(message: Message, seen: number): MessageEvent['type'] {
  if (message.deletedAt) return 'DELETED'
  return message.editedAt && message.createdChange <= seen ? 'EDITED' : 'SENT'
}
