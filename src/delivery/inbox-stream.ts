import { BadUserInput } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { abortable } from './abortable.js'
import { Alarm } from './alarm.js'
import { ConversationLog, type LogRange, type MessageEvent } from './conversation-log.js'
import { Follower, type LiveConsumer, untilRoom } from './follower.js'
import type { Membership, MembershipDigest } from './memberships.js'
import { requirePast, requireUnexpired } from './message-stream.js'
import { POLL_MS } from './slow-poll.js'

type StreamServices = Pick<Services, 'database' | 'signals' | 'feeds' | 'memberships' | 'clock'>

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
 * @param fromJoining whether conversations without a resume point come from the joining on as well. A client that has a
 *   point for every conversation it knows would otherwise miss the beginning of one that it joined while it was away.
 * @param consumer takes what happens in conversations that have been caught up with; null where all is to come through
 *   the iterator
 * @throws BadUserInput for two points of one conversation, and for a cursor that lies ahead
 */
export async function inboxStream(
  services: StreamServices,
  viewer: Viewer,
  resume: readonly ResumePoint[],
  consumer: LiveConsumer | null,
  fromJoining = false
): Promise<AsyncIterableIterator<MessageEvent>> {
  const points = new Map(resume.map(({ conversationId, after }) => [conversationId, after]))
  if (points.size < resume.length) throw new BadUserInput('resume', 'Name each conversation once.')
  const inbox = new Inbox(services, viewer, consumer)
  try {
    await inbox.begin(points, fromJoining)
    return abortable(
      (signal) => inbox.events(signal),
      () => inbox.close()
    )
  } catch (error) {
    inbox.close()
    throw error
  }
}

interface Followed {
  log: ConversationLog
  joinedChange: number
  /** While its feed has it: what the feed gives it. Otherwise it is behind, and is read. */
  follower: Follower | null
}

/** The conversations of one viewer, a position in each. */
class Inbox {
  readonly #services: StreamServices
  readonly #viewer: Viewer
  readonly #consumer: LiveConsumer | null
  readonly #alarm = new Alarm()
  readonly #followed = new Map<string, Followed>()
  readonly #ends: (() => void)[]
  /** Whether the viewer may have joined or left a conversation. */
  #membershipsWoken = false
  /** Of the memberships that were read last. */
  #digest: MembershipDigest = null

  constructor(services: StreamServices, viewer: Viewer, consumer: LiveConsumer | null) {
    this.#services = services
    this.#viewer = viewer
    this.#consumer = consumer
    const wake = () => {
      this.#membershipsWoken = true
      this.#alarm.ring()
    }
    // Before the memberships are read: one that changes after that wakes it.
    this.#ends = [
      services.signals.subscribe(`user:${viewer.id}`, wake),
      services.memberships.watchAll(viewer.id, (digest) => {
        if (digest !== this.#digest) wake()
      })
    ]
  }

  async begin(points: Map<string, number>, fromJoining: boolean): Promise<void> {
    const memberships = await this.#readMemberships()
    for (const { conversationId, lastChange } of memberships)
      requirePast('resume', points.get(conversationId) ?? 0, lastChange)
    for (const membership of memberships) {
      const { conversationId, joinedChange, lastChange: horizon } = membership
      const after = points.get(conversationId) ?? (fromJoining ? joinedChange : horizon)
      this.#follow(membership, { after, horizon })
    }
  }

  async *events(signal: AbortSignal): AsyncGenerator<MessageEvent> {
    while (!signal.aborted) {
      this.#alarm.reset()
      requireUnexpired(this.#services, this.#viewer)
      if (this.#membershipsWoken) await this.#look()
      // A batch of each in turn: one that is far behind does not hold up the others.
      for (const followed of this.#behind()) {
        await untilRoom(this.#consumer, signal)
        yield* this.#catchUp(followed)
      }
      if (this.#behind().length === 0 && !this.#membershipsWoken) await this.#alarm.wait(POLL_MS, signal)
    }
  }

  close(): void {
    for (const end of this.#ends) end()
    for (const id of [...this.#followed.keys()]) this.#unfollow(id)
  }

  #behind(): Followed[] {
    return [...this.#followed.values()].filter(({ follower }) => !follower)
  }

  async *#catchUp(followed: Followed): AsyncGenerator<MessageEvent> {
    const { log } = followed
    let hasChanged = false
    const unsubscribe = this.#services.signals.subscribe(`conversation:${log.conversationId}`, () => {
      hasChanged = true
    })
    try {
      const state = await log.read(this.#services, this.#viewer)
      if (state !== 'READ') return this.#unfollow(log.conversationId)
      const readAt = performance.now()
      for (let event = log.take(); event; event = log.take()) {
        requireUnexpired(this.#services, this.#viewer)
        yield event
        // Taken slowly: something may have happened to the rest, or to the right to it. It is read again.
        if (hasChanged || this.#membershipsWoken || performance.now() - readAt > POLL_MS) break
      }
      if (!log.hasMore) this.#goLive(followed, log.visibleAfter)
    } finally {
      unsubscribe()
    }
  }

  /** Has the feed give it what comes. */
  #goLive(followed: Followed, visibleAfter: number): void {
    const { log } = followed
    if (this.#followed.get(log.conversationId) !== followed) return
    const follower = new Follower(this.#viewer, visibleAfter, log.position, this.#consumer)
    followed.follower = follower
    void this.#services.feeds.follow(log.conversationId, follower).then(() => {
      // Whether the membership has ended, its own reading finds out.
      followed.follower = null
      log.moveTo(follower.position)
      this.#alarm.ring()
    })
  }

  /** Looks at what the viewer is in now, and at where each of them stands: one statement, however many they are. */
  async #look(): Promise<void> {
    this.#membershipsWoken = false
    const memberships = await this.#readMemberships()
    const present = new Set(memberships.map(({ conversationId }) => conversationId))
    for (const id of this.#followed.keys()) if (!present.has(id)) this.#unfollow(id)
    for (const membership of memberships) {
      const { conversationId, joinedChange } = membership
      const known = this.#followed.get(conversationId)
      if (known?.joinedChange === joinedChange) continue
      // Out and in again in between: what happened while the viewer was out is not the viewer's. Where the log was read
      // past the joining before that was known, nothing of it comes twice.
      const after = Math.max(joinedChange, known ? positionOf(known) : 0)
      this.#follow(membership, { after, horizon: after })
    }
  }

  #follow({ conversationId, joinedChange, lastChange, visibleAfter }: Membership, range: LogRange): void {
    this.#unfollow(conversationId)
    const followed = { log: new ConversationLog(conversationId, range), joinedChange, follower: null }
    this.#followed.set(conversationId, followed)
    if (range.after === lastChange) this.#goLive(followed, visibleAfter)
  }

  #unfollow(conversationId: string): void {
    const followed = this.#followed.get(conversationId)
    this.#followed.delete(conversationId)
    followed?.follower?.leave('GONE')
  }

  async #readMemberships(): Promise<Membership[]> {
    const { memberships, digest } = await this.#services.memberships.read(this.#viewer.id)
    this.#digest = digest
    return memberships
  }
}

function positionOf({ log, follower }: Followed): number {
  return follower?.position ?? log.position
}
