import { BadUserInput, Forbidden, NotFound, Unauthenticated } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Message } from '../message/message.js'
import type { Services } from '../services.js'
import { abortable } from './abortable.js'
import { Alarm } from './alarm.js'
import { readLog } from './read-log.js'

export interface MessageEvent {
  type: 'SENT' | 'EDITED' | 'DELETED'
  message: Message
}

/** A slow poll makes good for signals that were lost. */
const POLL_MS = 5_000
/** Messages of up to MAX_BODY_BYTES that a stream holds at a time. */
const BATCH = 50

type StreamServices = Pick<Services, 'database' | 'signals' | 'clock'>

/**
 * Every durable change of one conversation, in order, each once: from the change number `after` on,
 * or from now on.
 *
 * The stream holds a position and not a queue: it reads the log as fast as its consumer takes from
 * it. It ends when the conversation is deleted, and with an error when the viewer is no longer a
 * member or the viewer's token has expired.
 *
 * @throws NotFound when the viewer is not in the conversation; BadUserInput for a cursor that lies ahead
 */
export async function messageStream(
  services: StreamServices,
  viewer: Viewer,
  conversationId: string,
  after: number | null
): Promise<AsyncIterableIterator<MessageEvent>> {
  const alarm = new Alarm()
  // Subscribed before anything is read: whatever commits after the read wakes the stream again.
  const unsubscribe = services.signals.subscribe(`conversation:${conversationId}`, () => alarm.ring())
  try {
    const start = await readLog(services, viewer, conversationId, Number.MAX_SAFE_INTEGER, 1)
    if (start.state !== 'READ') throw new NotFound('conversation')
    if (after !== null && after > start.lastChange)
      throw new BadUserInput('after', 'The cursor is not one of this conversation.')
    const range = { after: after ?? start.lastChange, horizon: start.lastChange }
    return abortable((signal) => follow(services, viewer, conversationId, range, alarm, signal), unsubscribe)
  } catch (error) {
    unsubscribe()
    throw error
  }
}

async function* follow(
  services: StreamServices,
  viewer: Viewer,
  conversationId: string,
  { after, horizon }: { after: number; horizon: number },
  alarm: Alarm,
  signal: AbortSignal
): AsyncGenerator<MessageEvent> {
  let position = after
  while (!signal.aborted) {
    alarm.reset()
    const read = await readLog(services, viewer, conversationId, position, BATCH)
    if (read.state === 'DELETED') return
    if (read.state === 'REMOVED') throw new Forbidden('You are no longer a member of this conversation.')
    requireUnexpired(services, viewer)
    const readFrom = position
    for (const message of read.messages) {
      requireUnexpired(services, viewer)
      // What had happened before the stream began is news against the cursor, what happens now against the last read.
      yield { type: eventType(message, message.change <= horizon ? after : readFrom), message }
      position = message.change
      // Taken slowly: something may have happened to the rest, or to the right to it. It is read again.
      if (alarm.hasRung || alarm.ageMs > POLL_MS) break
    }
    const caughtUp = position === (read.messages.at(-1)?.change ?? position) && read.messages.length < BATCH
    if (caughtUp) await alarm.wait(POLL_MS, signal)
  }
}

/** Nothing is delivered under a token that has run out, however long ago the stream was opened. */
export function requireUnexpired({ clock }: Pick<Services, 'clock'>, viewer: Viewer): void {
  if (viewer.expiresAt && viewer.expiresAt <= clock.now())
    throw new Unauthenticated('The token has expired. Get a new one.')
}

/** What happened, for somebody who has seen everything up to the change `seen`. */
function eventType(message: Message, seen: number): MessageEvent['type'] {
  if (message.deletedAt) return 'DELETED'
  return message.editedAt && message.createdChange <= seen ? 'EDITED' : 'SENT'
}
