import type { Statement } from '../database/database.js'
import type { Services } from '../services.js'
import { SlowPoll } from './slow-poll.js'

const MEMBERSHIPS = 'members m join conversations c on c.id = m.conversation_id and c.deleted_at is null'
/** The same for the same memberships in whatever order, and another for who has been out and is in again. */
const DIGEST = 'sum(hashtextextended(m.conversation_id::text, m.joined_change))'

export const MEMBERSHIPS_TO_FOLLOW: Statement = {
  name: 'memberships-to-follow',
  text: `
    select c.id as "conversationId", c.last_change::float8 as "lastChange", m.joined_change::float8 as "joinedChange",
           m.visible_after as "visibleAfter", (${DIGEST} over ())::text as digest
      from ${MEMBERSHIPS}
     where m.user_id = $1`
}

export const DIGESTS_OF_MEMBERSHIPS: Statement = {
  name: 'digests-of-memberships',
  text: `
    select u.id as "userId", (select ${DIGEST}::text from ${MEMBERSHIPS} where m.user_id = u.id) as digest
      from unnest($1::text[]) as u (id)`
}

export interface Membership {
  conversationId: string
  lastChange: number
  /** The latest change when the user joined. */
  joinedChange: number
  visibleAfter: number
}

/** What stands for the memberships of a user as they were read; null for none. */
export type MembershipDigest = string | null

type Watch = (digest: MembershipDigest) => void

/** The memberships of those who follow all that they are in: one statement looks for changes in those of all of them. */
export class Memberships {
  readonly #services: Pick<Services, 'database' | 'log'>
  readonly #watches = new Map<string, Set<Watch>>()
  readonly #poll = new SlowPoll(
    () => this.#watches.keys(),
    (userIds) => this.#askAbout(userIds)
  )

  constructor(services: Pick<Services, 'database' | 'log'>) {
    this.#services = services
  }

  async read(userId: string): Promise<{ memberships: Membership[]; digest: MembershipDigest }> {
    const rows = await this.#services.database.run<Membership & { digest: string }>(MEMBERSHIPS_TO_FOLLOW, [userId])
    return { memberships: rows, digest: rows[0]?.digest ?? null }
  }

  /**
   * Tells the digest of a user's memberships with every poll. It may have been read before what the watcher has read.
   *
   * @returns a function that ends it
   */
  watch(userId: string, watch: Watch): () => void {
    const watches = this.#watches.get(userId) ?? new Set()
    this.#watches.set(userId, watches.add(watch))
    this.#poll.start()
    return () => {
      if (!watches.delete(watch) || watches.size > 0) return
      this.#watches.delete(userId)
      if (this.#watches.size === 0) this.#poll.stop()
    }
  }

  async #askAbout(userIds: string[]): Promise<void> {
    const { database, log } = this.#services
    try {
      const rows = await database.run<{ userId: string; digest: MembershipDigest }>(DIGESTS_OF_MEMBERSHIPS, [userIds])
      for (const { userId, digest } of rows) for (const watch of this.#watches.get(userId) ?? []) watch(digest)
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'memberships could not be looked at')
    }
  }
}
