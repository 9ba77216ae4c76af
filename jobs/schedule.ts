import type { Services } from '../src/services.js'
import { anchorAudit } from './anchor-audit.js'
import { applyKeyDefaults } from './apply-key-defaults.js'
import { destroyDue } from './destroy-due.js'
import { dropExports } from './drop-exports.js'
import { resumeOperations } from './key-operations.js'
import { recordRefusals } from './record-refusals.js'
import { refillKeyPool } from './refill-key-pool.js'
import { rotateDue } from './rotate-due.js'
import { verifyAudit } from './verify-audit.js'

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

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS

export const schedule: ScheduledJob[] = [
  { name: 'rotate-due', everyMs: (config) => config.scanEveryMs, run: rotateDue },
  { name: 'destroy-due', everyMs: (config) => config.scanEveryMs, run: destroyDue },
  { name: 'refill-key-pool', everyMs: (config) => config.scanEveryMs, run: refillKeyPool },
  { name: 'apply-key-defaults', everyMs: (config) => config.scanEveryMs, run: applyKeyDefaults },
  // Re-encryption and purging go on here after a worker was lost; they begin when they are asked for.
  { name: 'resume-operations', everyMs: (config) => config.scanEveryMs, run: resumeOperations },
  { name: 'drop-exports', everyMs: (config) => config.scanEveryMs, run: dropExports },
  { name: 'record-refusals', everyMs: (config) => config.scanEveryMs, run: recordRefusals },
  { name: 'anchor-audit', everyMs: () => HOUR_MS, run: anchorAudit },
  { name: 'verify-audit', everyMs: () => DAY_MS, run: verifyAudit }
]
