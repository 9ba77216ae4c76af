import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.js'
import type { Database, Statement } from '../database/database.js'
import type { Logger } from '../log.js'

const REPORT_MS = 1000
/** What sends take as a rule is the least that they took, forgotten by a fifth of a percent each second. */
const FORGET = 1.002

export const REPORT_SEND_PACE: Statement = {
  name: 'report-send-pace',
  text: `
    with gone as (
      delete from send_paces where at < $2::timestamptz - interval '1 hour' and process <> $1
    ), usual as (
      select least($4, (select min(usual_us) from send_paces where at >= $2::timestamptz - interval '1 hour'))::integer as us
    )
    insert into send_paces (process, at, now_us, usual_us) select $1, $2, $3, us from usual
    on conflict (process) do update set at = excluded.at, now_us = excluded.now_us, usual_us = excluded.usual_us`
}

/**
 * How long sends take in this process: told to the workers through the database, a row a second while there are any.
 * What they take as a rule is known from the processes before it, so that a new one does not take a slow hour for one.
 */
export class SendPace {
  readonly #database: Database
  readonly #clock: Clock
  readonly #log: Logger
  readonly #process = randomUUID()
  #tookMs: number[] = []
  #reportedAt: Date
  #usualMs = Number.POSITIVE_INFINITY

  constructor(deps: { database: Database; clock: Clock; log: Logger }) {
    this.#database = deps.database
    this.#clock = deps.clock
    this.#log = deps.log
    this.#reportedAt = deps.clock.now()
  }

  /** Runs a send, and notes how long it took. */
  async measure<T>(send: () => Promise<T>): Promise<T> {
    const startedAt = performance.now()
    const sent = await send()
    this.#tookMs.push(performance.now() - startedAt)
    if (this.#clock.now().getTime() - this.#reportedAt.getTime() >= REPORT_MS) void this.report()
    return sent
  }

  /** Tells what has been measured since the last time. */
  async report(): Promise<void> {
    this.#reportedAt = this.#clock.now()
    const tookMs = this.#tookMs.splice(0).sort((a, b) => a - b)
    const medianMs = tookMs[Math.floor(tookMs.length / 2)]
    if (medianMs === undefined) return
    this.#usualMs = Math.min(medianMs, this.#usualMs * FORGET)
    const values = [this.#process, this.#clock.now(), inMicroseconds(medianMs), inMicroseconds(this.#usualMs)]
    await this.#database
      .run(REPORT_SEND_PACE, values)
      .catch((error: Error) => this.#log.debug({ reason: error }, 'pace of sends could not be told'))
  }
}

function inMicroseconds(ms: number): number {
  return Math.min(Math.round(ms * 1000), 2 ** 31 - 1)
}
