import type { Services } from '../services.js'
import type { UserRecord } from './records.js'

/** Names of users, each told once, before the first record that mentions them. */
export class NamedUsers {
  readonly #services: Pick<Services, 'users'>
  /** Ids only: as many as there are people, whatever they have written. */
  readonly #told = new Set<string>()

  constructor(services: Pick<Services, 'users'>) {
    this.#services = services
  }

  async tell(ids: Iterable<string | null>): Promise<UserRecord[]> {
    const fresh = [...new Set(ids)].filter((id): id is string => id !== null && !this.#told.has(id))
    if (fresh.length === 0) return []
    for (const id of fresh) this.#told.add(id)
    const users = await this.#services.users.find(fresh)
    return fresh.map((id) => ({ type: 'user', id, name: users.get(id)?.name ?? id }))
  }
}
