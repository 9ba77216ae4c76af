import type { Statement } from '../database/database.js'
import type { Services } from '../services.js'
import { ConversationFeed } from './conversation-feed.js'
import type { Departure, Follower } from './follower.js'
import { SlowPoll } from './slow-poll.js'

export const FIND_ENDS: Statement = {
  name: 'find-ends-of-logs',
  text: `select id, last_change::float8 as "lastChange" from conversations where id = any($1::uuid[]) and deleted_at is null`
}

type FeedServices = Pick<Services, 'database' | 'signals' | 'metrics' | 'clock' | 'log'>

interface Entry {
  feed: ConversationFeed
  /** What has it woken and polled. */
  ends: (() => void)[]
}

/** The feeds of this process: one for each conversation that somebody follows in it. */
export class ConversationFeeds {
  readonly #services: FeedServices
  readonly #entries = new Map<string, Entry>()
  /** Finds the logs that have gone on although nobody was told. */
  readonly #poll: SlowPoll<number>

  constructor(services: FeedServices) {
    this.#services = services
    this.#poll = new SlowPoll(
      (ids) => this.#findEnds(ids),
      (error) => services.log.warn({ reason: error }, 'the ends of logs could not be looked at')
    )
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
    const ends = [
      this.#services.signals.subscribe(`conversation:${conversationId}`, (traces) => feed.wake(traces)),
      this.#poll.watch(conversationId, (lastChange) => feed.poll(lastChange))
    ]
    const entry = { feed, ends }
    this.#entries.set(conversationId, entry)
    // What happened before it listened. Many are opened at once, and asked about in one statement.
    this.#poll.askSoon(conversationId)
    return entry
  }

  #close(conversationId: string): void {
    for (const end of this.#entries.get(conversationId)?.ends ?? []) end()
    this.#entries.delete(conversationId)
  }

  async #findEnds(ids: string[]): Promise<Map<string, number>> {
    const rows = await this.#services.database.run<{ id: string; lastChange: number }>(FIND_ENDS, [ids])
    return new Map(rows.map(({ id, lastChange }) => [id, lastChange]))
  }
}
