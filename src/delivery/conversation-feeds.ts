import type { Statement } from '../database/database.js'
import type { Services } from '../services.js'
import { ConversationFeed } from './conversation-feed.js'
import type { Departure, Follower } from './follower.js'
import { SlowPoll } from './slow-poll.js'

export const FIND_ENDS: Statement = {
  name: 'find-ends-of-logs',
  text: `select id, last_change::float8 as "lastChange" from conversations where id = any($1::uuid[]) and deleted_at is null`
}

type FeedServices = Pick<Services, 'database' | 'signals' | 'clock' | 'log'>

interface Entry {
  feed: ConversationFeed
  unsubscribe: () => void
}

/** The feeds of this process: one for each conversation that somebody follows in it. */
export class ConversationFeeds {
  readonly #services: FeedServices
  readonly #entries = new Map<string, Entry>()
  /** Finds the logs that have gone on although nobody was told. */
  readonly #poll = new SlowPoll(
    () => this.#entries.keys(),
    (ids) => this.#askAbout(ids)
  )
  #opened: string[] = []

  constructor(services: FeedServices) {
    this.#services = services
  }

  /**
   * Gives a follower what comes after its position, until it leaves: of its own accord, or as the answer says.
   *
   * @param follower whose membership was checked when the log was read up to its position
   */
  async follow(conversationId: string, follower: Follower): Promise<Departure> {
    const { feed } = this.#entries.get(conversationId) ?? this.#open(conversationId, follower.position)
    return await feed.follow(follower)
  }

  #open(conversationId: string, position: number): Entry {
    const feed = new ConversationFeed(this.#services, conversationId, position, () => this.#close(conversationId))
    // Before anything is read: whatever commits after the read wakes the feed again.
    const unsubscribe = this.#services.signals.subscribe(`conversation:${conversationId}`, () => feed.wake())
    const entry = { feed, unsubscribe }
    this.#entries.set(conversationId, entry)
    this.#poll.start()
    // What happened before it listened. Many are opened at once, and asked about in one statement.
    if (this.#opened.push(conversationId) === 1) setImmediate(() => void this.#poll.ask(this.#opened.splice(0)))
    return entry
  }

  #close(conversationId: string): void {
    this.#entries.get(conversationId)?.unsubscribe()
    this.#entries.delete(conversationId)
    if (this.#entries.size === 0) this.#poll.stop()
  }

  async #askAbout(ids: string[]): Promise<void> {
    const { database, log } = this.#services
    try {
      const rows = await database.run<{ id: string; lastChange: number }>(FIND_ENDS, [ids])
      const ends = new Map(rows.map(({ id, lastChange }) => [id, lastChange]))
      for (const id of ids) this.#entries.get(id)?.feed.poll(ends.get(id))
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'the ends of logs could not be looked at')
    }
  }
}
