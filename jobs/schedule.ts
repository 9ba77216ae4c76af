import type { Services } from '../src/services.js'
import { refillKeyPool } from './refill-key-pool.js'

/**
 * What runs when: the one table. A job does what the database says is to be done; the schedule only
 * nudges, and a run that comes twice, late or not at all does no harm.
 */
export interface ScheduledJob {
  name: string
  everyMs: (config: Services['config']) => number
  /** Comes to an end soon after `stop` aborts; what is left to do, a later run does. */
  run: (services: Services, stop: AbortSignal) => Promise<void>
}

export const schedule: ScheduledJob[] = [
  { name: 'refill-key-pool', everyMs: (config) => config.scanEveryMs, run: refillKeyPool }
]
