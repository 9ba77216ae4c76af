import { isDatabaseOutage } from '../src/database/outage.js'
import type { Logger } from '../src/log.js'

/** After so long without an error an outage is over. */
const QUIET_MS = 60_000

/** What a Redis answers that will take the same command later; the answer of a script has more around it. */
const LATER = /\b(OOM|MISCONF|READONLY|NOREPLICAS|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY)\b/

/** What the client of a cluster says that is away; those have no code. */
const NO_CLUSTER = /^(Connection is closed|Too many Cluster redirections)/

/** Whether something failed because the queue is away, full, or takes nothing at present: it may work later. */
export function isQueueOutage(error: unknown): boolean {
  return (
    isDatabaseOutage(error) ||
    (error instanceof Error && [LATER, NO_CLUSTER].some((words) => words.test(error.message)))
  )
}

/** An outage of the queue as one process sees it: each of its connections says every second or so that it fails. */
export class QueueOutage {
  readonly #log: Logger
  #lastAt = Number.NEGATIVE_INFINITY

  constructor(log: Logger) {
    this.#log = log
  }

  failed(error: Error): void {
    const isKnown = performance.now() - this.#lastAt < QUIET_MS
    this.#lastAt = performance.now()
    if (isKnown) this.#log.debug({ reason: error }, 'job queue')
    else
      this.#log.warn(
        { reason: error },
        'the job queue is out of reach, or takes nothing: rotations, destructions and other work of the workers wait until it is back; requests are served'
      )
  }
}
