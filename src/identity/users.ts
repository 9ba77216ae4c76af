import type { EntityManager } from '@mikro-orm/postgresql'
import { boundedCache } from '../bounded-cache.js'
import type { Clock } from '../clock.js'
import { type Database, runIn, type Statement } from '../database/database.js'
import { type User, UserEntity } from '../database/entities.js'
import type { Viewer } from './viewer.js'

/** A user as others see them. */
export type NamedUser = Pick<User, 'id' | 'name'>

export const FIND_USERS: Statement = {
  name: 'find-users',
  text: 'select id, name from users where id = any($1::text[])'
}

const ENSURE = {
  text: 'insert into users (id, name, created_at) select id, id, $2 from unnest($1::text[]) as id on conflict do nothing'
}

/** Users appear on first sight of their token, or when somebody names them as a member. */
export class Users {
  readonly #database: Database
  readonly #clock: Clock
  /** Names by id, as they were last written: spares a statement on every request. */
  readonly #seen = boundedCache<string>(100_000)

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
    if (ids.length > 0) await runIn(em, ENSURE, [[...ids].sort(), this.#clock.now()])
  }

  /** Users by id, those that there are. */
  async find(ids: Iterable<string>): Promise<Map<string, NamedUser>> {
    const users = await this.#database.run<NamedUser>(FIND_USERS, [[...new Set(ids)]])
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
