import type { Message } from './conversation-log.js'

/** Not what it says: that may be deleted meanwhile. */
export type ReplyTarget = Pick<Message, 'id' | 'sequence'>

/** What was begun to be written, and not sent. */
export interface Draft {
  body: string
  replyTo: ReplyTarget | null
}

const NOTHING: Draft = { body: '', replyTo: null }

/** By conversation, until the user signs out: in the memory of this window, and nowhere else, since it is plaintext. */
export class Drafts {
  readonly #kept = new Map<string, Draft>()

  of(conversationId: string): Draft {
    return this.#kept.get(conversationId) ?? NOTHING
  }

  keep(conversationId: string, change: Partial<Draft>): void {
    const draft = { ...this.of(conversationId), ...change }
    if (draft.body === '' && draft.replyTo === null) this.#kept.delete(conversationId)
    else this.#kept.set(conversationId, draft)
  }

  drop(conversationId: string): void {
    this.#kept.delete(conversationId)
  }

  clear(): void {
    this.#kept.clear()
  }
}
