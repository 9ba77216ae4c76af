import type { KeyOperation } from './key-operations.js'

/** Where work for the workers is announced. The work itself stands in the database: a nudge that is lost costs time only. */
export interface JobQueue {
  /** Has a worker look at an operation soon. */
  nudge(operation: Pick<KeyOperation, 'id' | 'kind'>): void
  /** Nudges that no worker has come to yet. */
  backlog(): Promise<number>
  close(): Promise<void>
}
