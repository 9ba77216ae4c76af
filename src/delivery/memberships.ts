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
    select u.id, (select ${DIGEST}::text from ${MEMBERSHIPS} where m.user_id = u.id) as digest
      from unnest($1::text[]) as u (id)`
}

export const STILL_MEMBERS: Statement = {
  name: 'still-members',
  text: `
    select w.conversation_id as "conversationId", w.user_id as "userId"
      from unnest($1::uuid[], $2::text[]) as w (conversation_id, user_id)
      join (${MEMBERSHIPS}) on m.conversation_id = w.conversation_id and m.user_id = w.user_id`
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

interface Place {
  conversationId: string
  userId: string
}

/** The memberships that streams depend on: one statement looks for changes in those of all streams of the process. */
export class Memberships {
  readonly #database: Services['database']
  /** By user. */
  readonly #digests: SlowPoll<MembershipDigest>
  /** By {@link Place}. */
  readonly #members: SlowPoll<true>

  constructor({ database, log }: Pick<Services, 'database' | 'log'>) {
    const onFailure = (error: Error) => log.warn({ reason: error }, 'memberships could not be looked at')
    this.#database = database
    this.#digests = new SlowPoll((userIds) => this.#findDigests(userIds), onFailure)
    this.#members = new SlowPoll((places) => this.#findMembers(places), onFailure)
  }

  async read(userId: string): Promise<{ memberships: Membership[]; digest: MembershipDigest }> {
    const rows = await this.#database.run<Membership & { digest: string }>(MEMBERSHIPS_TO_FOLLOW, [userId])
    return { memberships: rows, digest: rows[0]?.digest ?? null }
  }

  /**
   * Tells the digest of a user's memberships with every poll. It may be older than what the watcher has read.
   *
   * @returns a function that ends it
   */
  watchAll(userId: string, tell: (digest: MembershipDigest) => void): () => void {
    return this.#digests.watch(userId, (digest = null) => tell(digest))
  }

  /**
   * Tells with every poll whether a user is in a conversation. It may be older than what the watcher has read.
   *
   * @returns a function that ends it
   */
  watchOne(place: Place, tell: (isMember: boolean) => void): () => void {
    return this.#members.watch(keyOf(place), (isMember) => tell(isMember === true))
  }

  async #findDigests(userIds: string[]): Promise<Map<string, MembershipDigest>> {
    const rows = await this.#database.run<{ id: string; digest: MembershipDigest }>(DIGESTS_OF_MEMBERSHIPS, [userIds])
    return new Map(rows.map(({ id, digest }) => [id, digest]))
  }

  async #findMembers(keys: string[]): Promise<Map<string, true>> {
    const places = keys.map(placeOf)
    const columns = [places.map(({ conversationId }) => conversationId), places.map(({ userId }) => userId)]
    const rows = await this.#database.run<Place>(STILL_MEMBERS, columns)
    return new Map(rows.map((row) => [keyOf(row), true]))
  }
}

function keyOf({ conversationId, userId }: Place): string {
  return `${conversationId} ${userId}`
}

function placeOf(key: string): Place {
  const end = key.indexOf(' ')
  return { conversationId: key.slice(0, end), userId: key.slice(end + 1) }
}
