import { BadUserInput, Forbidden, NotFound, Unauthenticated } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { abortable } from './abortable.js'
import { Alarm } from './alarm.js'
import { ConversationLog, type MessageEvent } from './conversation-log.js'
import { Follower, type LiveConsumer, untilRoom } from './follower.js'
import { readLog } from './read-log.js'
import { POLL_MS } from './slow-poll.js'

type StreamServices = Pick<Services, 'database' | 'signals' | 'feeds' | 'clock'>

/**
 * Every durable change of one conversation, in order, each once: from the change number `after` on,
 * or from now on.
 *
 * The stream holds a position and not a queue: it reads the log as fast as its consumer takes from it. Once it has
 * caught up it follows the conversation's feed, which gives `consumer` what happens, and the iterator yields nothing
 * until the consumer has no room for more. It ends when the conversation is deleted, and with an error when the viewer
 * is no longer a member or the viewer's token has expired.
 *
 * @param consumer null where everything is to come through the iterator
 * @throws NotFound when the viewer is not in the conversation; BadUserInput for a cursor that lies ahead
 */
export async function messageStream(
  services: StreamServices,
  viewer: Viewer,
  conversationId: string,
  after: number | null,
  consumer: LiveConsumer | null
): Promise<AsyncIterableIterator<MessageEvent>> {
  const start = await readLog(services, viewer, conversationId, Number.MAX_SAFE_INTEGER, 1)
  if (start.state !== 'READ') throw new NotFound('conversation')
  if (after !== null) requirePast('after', after, start.lastChange)
  const range = { after: after ?? start.lastChange, horizon: start.lastChange }
  const log = new ConversationLog(conversationId, range)
  return abortable((signal) => deliver(services, viewer, log, consumer, signal))
}

async function* deliver(
  services: StreamServices,
  viewer: Viewer,
  log: ConversationLog,
  consumer: LiveConsumer | null,
  signal: AbortSignal
): AsyncGenerator<MessageEvent> {
  while (!signal.aborted) {
    if ((yield* catchUp(services, viewer, log)) === 'DELETED') return
    if (!(await follow(services, viewer, log, consumer, signal))) return
    await untilRoom(consumer, signal)
  }
}

/** Yields what the log has, batch by batch, up to its end. */
async function* catchUp(
  services: StreamServices,
  viewer: Viewer,
  log: ConversationLog
): AsyncGenerator<MessageEvent, 'CAUGHT_UP' | 'DELETED'> {
  const alarm = new Alarm()
  const unsubscribe = services.signals.subscribe(`conversation:${log.conversationId}`, () => alarm.ring())
  try {
    for (;;) {
      alarm.reset()
      const state = await log.read(services, viewer)
      if (state === 'DELETED') return state
      if (state === 'REMOVED') throw new Forbidden('You are no longer a member of this conversation.')
      requireUnexpired(services, viewer)
      for (let event = log.take(); event; event = log.take()) {
        requireUnexpired(services, viewer)
        yield event
        // Taken slowly: something may have happened to the rest, or to the right to it. It is read again.
        if (alarm.hasRung || alarm.ageMs > POLL_MS) break
      }
      if (!log.hasMore) return 'CAUGHT_UP'
    }
  } finally {
    unsubscribe()
  }
}

/**
 * Has the feed give the consumer what comes, for as long as it has room for it.
 *
 * @returns whether there is more to read
 */
async function follow(
  { feeds }: StreamServices,
  viewer: Viewer,
  log: ConversationLog,
  consumer: LiveConsumer | null,
  signal: AbortSignal
): Promise<boolean> {
  const follower = new Follower(viewer, log.visibleAfter, log.position, consumer)
  const leave = () => follower.leave('GONE')
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  const departure = await feeds.follow(log.conversationId, follower)
  signal.removeEventListener('abort', leave)
  if (departure === 'EXPIRED') throw expired()
  log.moveTo(follower.position)
  return departure === 'BEHIND'
}

/** @throws BadUserInput naming `field` for a cursor of something that has not happened yet */
export function requirePast(field: string, after: number, lastChange: number): void {
  if (after > lastChange) throw new BadUserInput(field, 'The cursor is not one of this conversation.')
}

/** Nothing is delivered under a token that has run out, however long ago the stream was opened. */
export function requireUnexpired({ clock }: Pick<Services, 'clock'>, viewer: Viewer): void {
  if (viewer.expiresAt && viewer.expiresAt <= clock.now()) throw expired()
}

function expired(): Unauthenticated {
  return new Unauthenticated('The token has expired. Get a new one.')
}
