import { BadUserInput, Forbidden, NotFound, Unauthenticated } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { abortable } from './abortable.js'
import { Alarm } from './alarm.js'
import { ConversationLog, type MessageEvent } from './conversation-log.js'
import { readLog } from './read-log.js'

/** A slow poll makes good for signals that were lost. */
export const POLL_MS = 5_000

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
    if (after !== null) requirePast('after', after, start.lastChange)
    const range = { after: after ?? start.lastChange, horizon: start.lastChange }
    const log = new ConversationLog(conversationId, range)
    return abortable((signal) => follow(services, viewer, log, alarm, signal), unsubscribe)
  } catch (error) {
    unsubscribe()
    throw error
  }
}

async function* follow(
  services: StreamServices,
  viewer: Viewer,
  log: ConversationLog,
  alarm: Alarm,
  signal: AbortSignal
): AsyncGenerator<MessageEvent> {
  while (!signal.aborted) {
    alarm.reset()
    const state = await log.read(services, viewer)
    if (state === 'DELETED') return
    if (state === 'REMOVED') throw new Forbidden('You are no longer a member of this conversation.')
    requireUnexpired(services, viewer)
    for (let event = log.take(); event; event = log.take()) {
      requireUnexpired(services, viewer)
      yield event
      // Taken slowly: something may have happened to the rest, or to the right to it. It is read again.
      if (alarm.hasRung || alarm.ageMs > POLL_MS) break
    }
    if (!log.hasMore) await alarm.wait(POLL_MS, signal)
  }
}

/** @throws BadUserInput naming `field` for a cursor of something that has not happened yet */
export function requirePast(field: string, after: number, lastChange: number): void {
  if (after > lastChange) throw new BadUserInput(field, 'The cursor is not one of this conversation.')
}

/** Nothing is delivered under a token that has run out, however long ago the stream was opened. */
export function requireUnexpired({ clock }: Pick<Services, 'clock'>, viewer: Viewer): void {
  if (viewer.expiresAt && viewer.expiresAt <= clock.now())
    throw new Unauthenticated('The token has expired. Get a new one.')
}
