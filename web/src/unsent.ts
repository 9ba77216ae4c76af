import type { Pending } from './chat/conversation-log.js'
import { Drafts } from './chat/drafts.js'

/**
 * What was not sent when a token ran out, or was only begun, until the same user is signed in again. In the memory of
 * this window only.
 */
export class Unsent {
  readonly #left = new Map<string, Map<string, readonly Pending[]>>()
  readonly #drafts = new Map<string, Drafts>()

  /** The same for each session of a user. */
  draftsOf(userId: string): Drafts {
    const drafts = this.#drafts.get(userId) ?? new Drafts()
    this.#drafts.set(userId, drafts)
    return drafts
  }

  leave(userId: string, conversationId: string, pending: readonly Pending[]): void {
    if (pending.length === 0) return
    const ofUser = this.#left.get(userId) ?? new Map<string, readonly Pending[]>()
    this.#left.set(userId, ofUser.set(conversationId, [...(ofUser.get(conversationId) ?? []), ...pending]))
  }

  /** @returns by the id of the conversation; given once */
  take(userId: string): ReadonlyMap<string, readonly Pending[]> {
    const ofUser = this.#left.get(userId)
    this.#left.delete(userId)
    return ofUser ?? new Map()
  }
}
