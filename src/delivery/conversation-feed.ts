import { SpanKind } from '@opentelemetry/api'
import type { Statement } from '../database/database.js'
import type { Message } from '../message/message.js'
import type { Services } from '../services.js'
import { placeOf, type TracePlace, tracedForAll } from '../tracing/traced.js'
import type { Departure, Follower } from './follower.js'
import { giveToGroup, groupFollowers } from './give-to-group.js'
import { readTail } from './read-log.js'
import { MAX_TRACES, tracesIn } from './signals.js'

/** Messages of up to MAX_BODY_BYTES that a feed reads at a time, and keeps for a while for those who come late. */
const BATCH = 50

export const FIND_MEMBERS: Statement = {
  name: 'find-members',
  text: `
    select user_id as "userId", visible_after as "visibleAfter" from members
     where conversation_id = $1 and user_id = any($2::text[])`
}

type FeedServices = Pick<Services, 'database' | 'metrics' | 'clock' | 'log'>

/**
 * The end of one conversation's log, read once for everybody in this process who follows it: a message is read and
 * opened once, and made into bytes once for all who have asked for the same.
 */
export class ConversationFeed {
  readonly #services: FeedServices
  readonly #conversationId: string
  readonly #onEmpty: () => void
  readonly #joining = new Set<Follower>()
  /** All who have come and not gone, wherever they are on their way: it is empty once, with the last of them. */
  #present = 0
  /** Everybody of these has got what was read, each from the position on at which they came. */
  readonly #followers = new Set<Follower>()
  /** The change up to which the log was read. */
  #position: number
  /** What was read last: everything after the change `recentAfter`. */
  #recent: Message[] = []
  #recentAfter: number
  /** In whose traces what comes next is delivered. */
  #places: TracePlace[] = []
  #isWoken = false
  #isRunning = false

  /** @param position change number that the first follower has read up to; @param onEmpty called when the last has left */
  constructor(services: FeedServices, conversationId: string, position: number, onEmpty: () => void) {
    this.#services = services
    this.#conversationId = conversationId
    this.#position = position
    this.#recentAfter = position
    this.#onEmpty = onEmpty
  }

  /** Gives a follower what comes after its position, until it leaves. */
  async follow(follower: Follower): Promise<Departure> {
    this.#present++
    this.#joining.add(follower)
    if (follower.position > this.#position) this.#isWoken = true
    this.#run()
    const departure = await follower.left
    this.#joining.delete(follower)
    this.#followers.delete(follower)
    if (--this.#present === 0) this.#onEmpty()
    return departure
  }

  /** Something may have happened. @param traces of what has, as its signal has them */
  wake(traces?: string): void {
    if (traces !== undefined && this.#places.length < MAX_TRACES) this.#places.push(...tracesIn(traces).map(placeOf))
    this.#isWoken = true
    this.#run()
  }

  /** @param lastChange where the log ends by now; undefined when it is no more */
  poll(lastChange: number | undefined): void {
    if (lastChange !== this.#position) this.wake()
    else if (!this.#isRunning) this.#keep([], this.#position)
  }

  #run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#work()
  }

  async #work(): Promise<void> {
    try {
      while (this.#joining.size > 0 || (this.#isWoken && this.#followers.size > 0)) {
        await this.#admit()
        if (!this.#isWoken) continue
        this.#isWoken = false
        await this.#advance()
      }
    } catch (error) {
      this.#services.log.warn({ reason: error }, 'feed of a conversation failed')
      // Each finds out alone: its own reading fails as well, or it does not.
      this.#dismissAll('BEHIND')
    } finally {
      // In the same turn as the last look: whoever wakes it from now on has it run again.
      this.#isRunning = false
    }
  }

  /** Gives those who have come what was read last, where that begins no later than they have read up to. */
  async #admit(): Promise<void> {
    const admitted = [...this.#joining]
    this.#joining.clear()
    for (const follower of admitted) {
      if (follower.position < this.#recentAfter) follower.leave('BEHIND')
      if (!follower.hasLeft) this.#followers.add(follower)
    }
    await this.#give(admitted, this.#recent)
  }

  async #advance(): Promise<void> {
    const places = this.#places.splice(0)
    await tracedForAll(places, 'deliver', { kind: SpanKind.CONSUMER }, () => this.#readOn())
  }

  async #readOn(): Promise<void> {
    const read = await readTail(this.#services, this.#conversationId, this.#position, BATCH)
    if (read === null) return this.#dismissAll('DELETED')
    const { messages, lastChange } = read
    const isAll = messages.length < BATCH
    if (!isAll) this.#isWoken = true
    this.#keep(messages, this.#position)
    this.#position = isAll ? lastChange : (messages.at(-1)?.change ?? lastChange)
    await this.#give([...this.#followers], messages)
    if (this.#followers.size > 0) this.#noteLag(messages)
  }

  /** Once for each change, however many it was given to: the last of them has it now. */
  #noteLag(messages: readonly Message[]): void {
    const { metrics, clock } = this.#services
    const now = clock.now().getTime()
    // Clocks of two machines differ: what seems to come before it was sent has come at once.
    for (const { createdAt, editedAt, deletedAt } of messages)
      metrics.messages.deliveryLag.observe(Math.max(0, now - (deletedAt ?? editedAt ?? createdAt).getTime()) / 1000)
  }

  #keep(messages: Message[], after: number): void {
    this.#recent = messages
    this.#recentAfter = after
  }

  async #give(followers: readonly Follower[], messages: readonly Message[]): Promise<void> {
    const last = messages.at(-1)
    if (!last) return
    const behind = followers.filter(({ position, hasLeft }) => position < last.change && !hasLeft)
    for (const follower of behind) if (!follower.consumer) follower.leave('BEHIND')
    // Whoever goes, goes in the same transaction as the notice of it.
    const notice = messages.findLast(({ kind }) => kind === 'SYSTEM')
    if (notice) await this.#dismissMoved(behind.filter(({ position }) => position < notice.change))
    const groups = groupFollowers(behind.filter(({ hasLeft }) => !hasLeft))
    await Promise.all(groups.map((group) => giveToGroup(group, messages, this.#services)))
  }

  /** Removed, or out and in again to see another part of the history: its own reading finds out. */
  async #dismissMoved(followers: readonly Follower[]): Promise<void> {
    const userIds = [...new Set(followers.map(({ viewer }) => viewer.id))]
    if (userIds.length === 0) return
    const values = [this.#conversationId, userIds]
    const members = await this.#services.database.run<{ userId: string; visibleAfter: number }>(FIND_MEMBERS, values)
    const visibleAfter = new Map(members.map((member) => [member.userId, member.visibleAfter]))
    for (const follower of followers) {
      if (visibleAfter.get(follower.viewer.id) !== follower.visibleAfter) follower.leave('BEHIND')
    }
  }

  #dismissAll(departure: Departure): void {
    for (const follower of [...this.#joining, ...this.#followers]) follower.leave(departure)
  }
}
