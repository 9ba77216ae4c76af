/**
 * What has changed: the log of a conversation, the keys of a conversation, or an operation on keys.
 */
export type Topic = `conversation:${string}` | `keys:${string}` | `operation:${string}`

/**
 * Signals say that something has changed, and no more. They may be lost, late, repeated or out of order: whoever
 * is woken looks at the database, and a signal only says when.
 */
export interface Signals {
  /** Tells every process, soon; called after the change has committed. */
  publish(topic: Topic): void
  /**
   * Calls `wake` on every signal of the topic, and whenever some may have been lost.
   *
   * @returns a function that ends it
   */
  subscribe(topic: Topic, wake: () => void): () => void
  /** Calls `wake` on signals of any conversation's keys with its id, and with null when some may have been lost. */
  onKeyChange(wake: (conversationId: string | null) => void): () => void
  close(): Promise<void>
}
