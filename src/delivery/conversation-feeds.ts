import type { Statement } from '../database/database.js'
import type { Services } from '../services.js'
import { ConversationFeed } from './conversation-feed.js'
import type { Departure, Follower } from './follower.js'

/** A slow poll makes good for signals that were lost. */
export const POLL_MS = 5_000
/** Feeds that one statement asks about. */
const POLLED = 1_000

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
  #opened: string[] = []
  #timer: NodeJS.Timeout | null = null

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
    this.#timer ??= setInterval(() => void this.#poll([...this.#entries.keys()]), POLL_MS).unref()
    // What happened before it listened. Many are opened at once, and asked about in one statement.
    if (this.#opened.push(conversationId) === 1) setImmediate(() => void this.#poll(this.#opened.splice(0)))
    return entry
  }

  #close(conversationId: string): void {
    this.#entries.get(conversationId)?.unsubscribe()
    this.#entries.delete(conversationId)
    if (this.#entries.size > 0 || !this.#timer) return
    clearInterval(this.#timer)
    this.#timer = null
  }

  /** Finds the logs that have gone on although nobody was told. */
  async #poll(ids: string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += POLLED) {
      const asked = ids.slice(from, from + POLLED)
      try {
        const rows = await this.#services.database.run<{ id: string; lastChange: number }>(FIND_ENDS, [asked])
        const ends = new Map(rows.map(({ id, lastChange }) => [id, lastChange]))
        for (const id of asked) this.#entries.get(id)?.feed.poll(ends.get(id))
      } catch (error) {
        this.#services.log.warn({ reason: error }, 'the ends of logs could not be looked at')
      }
    }
  }
}
