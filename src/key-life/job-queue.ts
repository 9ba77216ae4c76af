/** Where work for the workers is announced. The work itself stands in the database: a nudge that is lost costs time only. */
export interface JobQueue {
  /** Has a worker look at an operation soon. */
  nudge(operationId: string): void
  close(): Promise<void>
}
