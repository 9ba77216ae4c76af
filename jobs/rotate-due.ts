import { type DueRotation, findDueRotations, rotateIfDue } from '../src/conversation-key/rotate-due.js'
import { KeyUnavailable } from '../src/errors.js'
import type { Services } from '../src/services.js'

const BATCH = 50

/** Rotates keys that are due and used, those longest overdue first. */
export async function rotateDue(services: Services, stop: AbortSignal): Promise<void> {
  let batch: RotatedBatch = { rotated: 0, failed: 0, last: null, isLast: false, isHeldUp: false }
  do {
    batch = await rotateDueBatch(services, batch.last, stop)
  } while (!batch.isLast && !batch.isHeldUp && !stop.aborted)
}

interface RotatedBatch {
  rotated: number
  failed: number
  /** The last one that was looked at: where to go on. */
  last: DueRotation | null
  /** Whether none was due after it. */
  isLast: boolean
  /** Whether no key can be had at present: the rest is for a later run. */
  isHeldUp: boolean
}

/**
 * Rotates the keys of some conversations. One that cannot be rotated, or that another worker has, is passed over:
 * it neither ends the run nor comes up in it again.
 */
export async function rotateDueBatch(
  services: Services,
  after: DueRotation | null,
  stop: AbortSignal
): Promise<RotatedBatch> {
  const { database, clock, log } = services
  const due = await findDueRotations({ database, now: clock.now() }, BATCH, after)
  const batch: RotatedBatch = { rotated: 0, failed: 0, last: after, isLast: due.length < BATCH, isHeldUp: false }
  for (const conversation of due) {
    if (stop.aborted) return { ...batch, isLast: false }
    try {
      if (await rotateIfDue(services, conversation.id, 'SKIP')) batch.rotated++
    } catch (error) {
      if (error instanceof KeyUnavailable) return { ...batch, isLast: false, isHeldUp: true }
      batch.failed++
      log.error({ conversationId: conversation.id, reason: (error as Error).message }, 'rotation failed')
    }
    batch.last = conversation
  }
  return batch
}
