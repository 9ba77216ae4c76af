/**
 * Signals say that a conversation has changed, up to some change number. They may be lost, late,
 * repeated or out of order: a subscriber reads the log from its own cursor, and a signal only wakes
 * it. They carry no content.
 */
export interface Signals {
  /** Tells every process, soon; called after the change has committed. */
  publish(conversationId: string, change: number): void
  /**
   * Calls `wake` on every signal of the conversation, and whenever some may have been lost.
   *
   * @returns a function that ends it
   */
  subscribe(conversationId: string, wake: () => void): () => void
  close(): Promise<void>
}
