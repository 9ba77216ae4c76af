import type { EntityManager } from '@mikro-orm/postgresql'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.js'
import type { Database, Statement } from '../database/database.js'
import { type User, UserEntity } from '../database/entities.js'
import type { Viewer } from './viewer.js'

// Every page of messages names its senders.
const FIND: Statement = {
  name: 'find-users',
  text: 'select id, name, created_at as "createdAt" from users where id = any($1::text[])'
}

/** Users appear on first sight of their token, or when somebody names them as a member. */
export class Users {
  readonly #database: Database
  readonly #clock: Clock
  /** Names by id, as they were last written: spares a statement on every request. */
  readonly #seen = new LRUCache<string, string>({ max: 100_000 })

  constructor(database: Database, clock: Clock) {
    this.#database = database
    this.#clock = clock
  }

  /** Notes the viewer's name where it is new. */
  async see(viewer: Viewer): Promise<void> {
    if (this.#seen.get(viewer.id) === viewer.name) return
    const user = { id: viewer.id, name: viewer.name, createdAt: this.#clock.now() }
    await this.#database.entities().upsert(UserEntity, user, { onConflictMergeFields: ['name'] })
    this.#seen.set(viewer.id, viewer.name)
  }

  /** Makes sure that users with these ids exist; their name is their id until they come with a token. */
  async ensure(em: EntityManager, ids: string[]): Promise<void> {
    // In one order everywhere, so that two transactions that name the same users cannot deadlock.
    const users = [...ids].sort().map((id) => ({ id, name: id, createdAt: this.#clock.now() }))
    if (users.length > 0) await em.upsertMany(UserEntity, users, { onConflictAction: 'ignore' })
  }

  async find(ids: readonly string[]): Promise<Map<string, User>> {
    const users = await this.#database.run<User>(FIND, [ids])
    return new Map(users.map((user) => [user.id, user]))
  }

  /** A user by id, if it is the viewer or somebody whom the viewer has a conversation with. */
  async findAcquaintance(viewer: Viewer, id: string): Promise<User | null> {
    const em = this.#database.entities()
    if (id !== viewer.id) {
      const shared = await em.execute(
        `select from members mine
           join members theirs on theirs.conversation_id = mine.conversation_id and theirs.user_id = ?
           join conversations c on c.id = mine.conversation_id and c.deleted_at is null
          where mine.user_id = ? limit 1`,
        [id, viewer.id]
      )
      if (shared.length === 0) return null
    }
    return await em.findOne(UserEntity, { id })
  }
}
