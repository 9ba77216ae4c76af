import pLimit from 'p-limit'
import { type DueRotation, findDueRotations, rotateIfDue } from '../src/conversation-key/rotate-due.js'
import { KeyUnavailable } from '../src/errors.js'
import type { Services } from '../src/services.js'

const BATCH = 50
/** Keys are generated two at a time: while two rotations wait for theirs, two others are written. */
const AT_ONCE = 4

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
  /** Up to here all were looked at: where to go on. */
  last: DueRotation | null
  /** Whether none was due after it. */
  isLast: boolean
  /** Whether no key can be had at present: the rest is for a later run. */
  isHeldUp: boolean
}

/** A conversation that another worker has, or that is not due any more, is passed over; the last two are for later. */
type Outcome = 'ROTATED' | 'PASSED_OVER' | 'FAILED' | 'HELD_UP' | 'NOT_BEGUN'

/**
 * Rotates the keys of some conversations, a few at once. One that cannot be rotated, or that another worker has, is
 * passed over: it neither ends the run nor comes up in it again.
 */
export async function rotateDueBatch(
  services: Services,
  after: DueRotation | null,
  stop: AbortSignal
): Promise<RotatedBatch> {
  const { database, clock } = services
  const due = await findDueRotations({ database, now: clock.now() }, BATCH, after)
  const pooled = due.length === 0 ? 0 : await services.keySupply.pooled()
  let isHeldUp = false
  const outcomes = await pLimit(AT_ONCE).map(due, async ({ id }, index): Promise<Outcome> => {
    if (stop.aborted || isHeldUp) return 'NOT_BEGUN'
    const outcome = await rotateOne(services, id, index >= pooled)
    if (outcome === 'HELD_UP') isHeldUp = true
    return outcome
  })
  const firstLeft = outcomes.findIndex((outcome) => outcome === 'HELD_UP' || outcome === 'NOT_BEGUN')
  const lookedAt = firstLeft === -1 ? outcomes : outcomes.slice(0, firstLeft)
  return {
    rotated: outcomes.filter((outcome) => outcome === 'ROTATED').length,
    // Those behind come up again, and are counted then.
    failed: lookedAt.filter((outcome) => outcome === 'FAILED').length,
    last: due[lookedAt.length - 1] ?? after,
    isLast: due.length < BATCH && firstLeft === -1,
    isHeldUp
  }
}

async function rotateOne(services: Services, conversationId: string, ahead: boolean): Promise<Outcome> {
  try {
    return (await rotateIfDue(services, conversationId, 'SKIP', { ahead })) ? 'ROTATED' : 'PASSED_OVER'
  } catch (error) {
    if (error instanceof KeyUnavailable) return 'HELD_UP'
    services.log.error({ conversationId, reason: error }, 'rotation failed')
    return 'FAILED'
  }
}
