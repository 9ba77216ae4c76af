import type { Statement } from '../database/database.js'
import { BadUserInput } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { abortable } from './abortable.js'
import { Alarm } from './alarm.js'
import { ConversationLog, type LogRange, type MessageEvent } from './conversation-log.js'
import { POLL_MS, requirePast, requireUnexpired } from './message-stream.js'

type StreamServices = Pick<Services, 'database' | 'signals' | 'clock'>

/** Where a client goes on in one conversation: the change that it has seen last. */
export interface ResumePoint {
  conversationId: string
  after: number
}

/**
 * Every durable change of every conversation that the viewer is in, in the order of each: from its resume point on,
 * or from now on where it has none; of one that the viewer joins meanwhile from the joining on. A conversation that
 * the viewer leaves, or that is deleted, is followed no longer; a resume point of one is passed over.
 *
 * @throws BadUserInput for two points of one conversation, and for a cursor that lies ahead
 */
export async function inboxStream(
  services: StreamServices,
  viewer: Viewer,
  resume: readonly ResumePoint[]
): Promise<AsyncIterableIterator<MessageEvent>> {
  const points = new Map(resume.map(({ conversationId, after }) => [conversationId, after]))
  if (points.size < resume.length) throw new BadUserInput('resume', 'Name each conversation once.')
  const inbox = new Inbox(services, viewer)
  try {
    await inbox.begin(points)
    return abortable(
      (signal) => inbox.events(signal),
      () => inbox.close()
    )
  } catch (error) {
    inbox.close()
    throw error
  }
}

export const MEMBERSHIPS_TO_FOLLOW: Statement = {
  name: 'memberships-to-follow',
  text: `
    select c.id as "conversationId", c.last_change::float8 as "lastChange", m.joined_change::float8 as "joinedChange"
      from members m join conversations c on c.id = m.conversation_id and c.deleted_at is null
     where m.user_id = $1`
}

interface Membership {
  conversationId: string
  lastChange: number
  /** The latest change when the viewer joined. */
  joinedChange: number
}

interface Followed {
  log: ConversationLog
  joinedChange: number
  /** Whether something may have happened behind the position. */
  isWoken: boolean
  unsubscribe: () => void
}

/** The conversations of one viewer, a position in each. */
class Inbox {
  readonly #services: StreamServices
  readonly #viewer: Viewer
  readonly #alarm = new Alarm()
  readonly #followed = new Map<string, Followed>()
  readonly #unsubscribe: () => void
  /** Whether the viewer may have joined or left a conversation. */
  #membershipsWoken = false
  #lookedAt = performance.now()

  constructor(services: StreamServices, viewer: Viewer) {
    this.#services = services
    this.#viewer = viewer
    this.#unsubscribe = services.signals.subscribe(`user:${viewer.id}`, () => {
      this.#membershipsWoken = true
      this.#alarm.ring()
    })
  }

  async begin(points: Map<string, number>): Promise<void> {
    for (const membership of await this.#memberships()) {
      const { conversationId, lastChange: horizon } = membership
      const after = points.get(conversationId) ?? horizon
      requirePast('resume', after, horizon)
      this.#follow(membership, { after, horizon })
    }
    // Subscribed to by now: what has happened in between is found here, and what happens from now on is signalled.
    await this.#look()
  }

  async *events(signal: AbortSignal): AsyncGenerator<MessageEvent> {
    while (!signal.aborted) {
      this.#alarm.reset()
      requireUnexpired(this.#services, this.#viewer)
      if (this.#membershipsWoken || performance.now() - this.#lookedAt > POLL_MS) await this.#look()
      // A batch of each in turn: one that is far behind does not hold up the others.
      for (const followed of this.#woken()) yield* this.#read(followed)
      if (this.#woken().length === 0 && !this.#membershipsWoken) await this.#alarm.wait(POLL_MS, signal)
    }
  }

  close(): void {
    this.#unsubscribe()
    for (const followed of this.#followed.values()) followed.unsubscribe()
    this.#followed.clear()
  }

  #woken(): Followed[] {
    return [...this.#followed.values()].filter(({ isWoken }) => isWoken)
  }

  async *#read(followed: Followed): AsyncGenerator<MessageEvent> {
    const { log } = followed
    followed.isWoken = false
    const state = await log.read(this.#services, this.#viewer)
    if (state !== 'READ') return this.#unfollow(log.conversationId)
    const readAt = performance.now()
    for (let event = log.take(); event; event = log.take()) {
      requireUnexpired(this.#services, this.#viewer)
      yield event
      // Taken slowly: something may have happened to the rest, or to the right to it. It is read again.
      if (followed.isWoken || this.#membershipsWoken || performance.now() - readAt > POLL_MS) break
    }
    if (log.hasMore) followed.isWoken = true
  }

  /** Looks at what the viewer is in now, and at where each of them stands: one statement, however many they are. */
  async #look(): Promise<void> {
    this.#membershipsWoken = false
    this.#lookedAt = performance.now()
    const memberships = await this.#memberships()
    const present = new Set(memberships.map(({ conversationId }) => conversationId))
    for (const id of this.#followed.keys()) if (!present.has(id)) this.#unfollow(id)
    for (const membership of memberships) {
      const { conversationId, lastChange, joinedChange } = membership
      const known = this.#followed.get(conversationId)
      // Out and in again in between: what happened while the viewer was out is not the viewer's.
      const isNew = known?.joinedChange !== joinedChange
      const followed = isNew ? this.#follow(membership, { after: joinedChange, horizon: joinedChange }) : known
      // A new one was not subscribed to when this was read.
      if (isNew || lastChange > followed.log.position) followed.isWoken = true
    }
  }

  #follow({ conversationId, joinedChange }: Membership, range: LogRange): Followed {
    this.#unfollow(conversationId)
    const followed: Followed = {
      log: new ConversationLog(conversationId, range),
      joinedChange,
      isWoken: false,
      unsubscribe: this.#services.signals.subscribe(`conversation:${conversationId}`, () => {
        followed.isWoken = true
        this.#alarm.ring()
      })
    }
    this.#followed.set(conversationId, followed)
    return followed
  }

  #unfollow(conversationId: string): void {
    this.#followed.get(conversationId)?.unsubscribe()
    this.#followed.delete(conversationId)
  }

  async #memberships(): Promise<Membership[]> {
    return await this.#services.database.run<Membership>(MEMBERSHIPS_TO_FOLLOW, [this.#viewer.id])
  }
}
