import type { Stage } from './stage.js'

/** A comparison of two sides, as one row of the table. */
export interface Case {
  name: string
  /** What is measured, in a few words. */
  measured: string
  /** What it is compared with; null where the figure itself has the goal. */
  beside: string | null
  /** What `measured` and `beside` answer: figures per second, or a size of what is better small. */
  unit: '/s' | 'ms' | 'KB'
  /** Of the median ratio, measured over beside; without a `beside` of the figure itself. Null: `misses` alone decides. */
  goal: { ratio: 'AT_LEAST' | 'AT_MOST'; value: number } | null
  /** It takes longer than a minute: a run of all cases leaves it out. */
  onlyByName?: boolean
  /**
   * At most so many, whether a round that does not count goes before them, and for how long there are others. Default: 12,
   * with one, for sixteen seconds.
   */
  rounds?: { atMost: number; warmUp: boolean; measuringMs?: number }
  /**
   * Seeds databases and starts processes; its seconds are not part of the rounds.
   *
   * @throws CannotRun where this machine lacks something that the case needs
   */
  prepare(stage: Stage): Promise<Prepared>
}

export interface Prepared {
  /** One round of either side, a few seconds at most; answers in the case's unit. */
  measured(): Promise<number>
  /** Never called where the case has no `beside`. */
  beside(): Promise<number>
  /** After the rounds: what else is worth a look, for instance "p99 12 ms". */
  notes?(): Promise<string[]> | string[]
  /** After the rounds: conditions beyond the ratio that were not met, a sentence each. */
  misses?(): Promise<string[]> | string[]
  close(): Promise<void>
}

/** The case needs something that is not here. Its message says what. */
export class CannotRun extends Error {
  override readonly name = 'CannotRun'
}
