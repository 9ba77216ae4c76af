import type { Queue } from 'bullmq'
import type { KeyOperation } from './key-operations.js'

/** Where work for the workers is announced. The work itself stands in the database: a nudge that is lost costs time only. */
export interface JobQueue {
  /** Has a worker look at an operation soon. */
  nudge(operation: Pick<KeyOperation, 'id' | 'kind'>): void
  /** Nudges that no worker has come to yet. */
  backlog(): Promise<number>
  close(): Promise<void>
}

/** The queues themselves, for people who watch them. */
export interface WatchedQueues {
  /** Otherwise they are in the database, where the API may add jobs and see no more than that takes. */
  readonly isInRedis: boolean
  /** Connects the first time. */
  open(): readonly Queue[]
  close(): Promise<void>
}
