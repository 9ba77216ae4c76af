import { LRUCache } from 'lru-cache'

/**
 * Keys that were opened, by `<conversation id>:<which>`, for a bounded time. They are found by conversation too: one that
 * changes is not looked for among all the others.
 */
export class OpenedKeys<Opened extends object> {
  readonly #cache: LRUCache<string, Opened>
  readonly #idsOf = new Map<string, Set<string>>()

  constructor(limits: { max: number; ttl: number }) {
    this.#cache = new LRUCache({ ...limits, dispose: (_key, id) => this.#forgetId(id) })
  }

  get(id: string): Opened | undefined {
    return this.#cache.get(id)
  }

  set(id: string, key: Opened): void {
    // First: a key that it takes the place of is forgotten with its id.
    this.#cache.set(id, key)
    const conversationId = conversationOf(id)
    const ids = this.#idsOf.get(conversationId)
    if (ids) ids.add(id)
    else this.#idsOf.set(conversationId, new Set([id]))
  }

  /** Unless another has taken its place. */
  deleteIfStill(id: string, key: Opened): void {
    if (this.#cache.peek(id, { allowStale: true }) === key) this.#cache.delete(id)
  }

  deleteConversation(conversationId: string): void {
    for (const id of [...(this.#idsOf.get(conversationId) ?? [])]) this.#cache.delete(id)
  }

  clear(): void {
    this.#cache.clear()
  }

  purgeStale(): void {
    this.#cache.purgeStale()
  }

  #forgetId(id: string): void {
    const conversationId = conversationOf(id)
    const ids = this.#idsOf.get(conversationId)
    ids?.delete(id)
    if (ids?.size === 0) this.#idsOf.delete(conversationId)
  }
}

function conversationOf(id: string): string {
  return id.slice(0, id.indexOf(':'))
}
