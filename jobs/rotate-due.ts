import { type DueRotation, findDueRotations, rotateIfDue } from '../src/conversation-key/rotate-due.js'
import type { Services } from '../src/services.js'

const BATCH = 50

/** Rotates keys that are due and used, those longest overdue first. */
export async function rotateDue(services: Services, stop: AbortSignal): Promise<void> {
  let last: DueRotation | null = null
  do {
    last = (await rotateDueBatch(services, last, stop)).last
  } while (last && !stop.aborted)
}

/**
 * Rotates the keys of some conversations. One that cannot be rotated, or that another worker has, is passed over:
 * it neither ends the run nor comes up in it again.
 *
 * @returns how many were rotated, and where to go on; null at the end
 */
export async function rotateDueBatch(
  services: Services,
  after: DueRotation | null,
  stop: AbortSignal
): Promise<{ rotated: number; failed: number; last: DueRotation | null }> {
  const { database, clock, log } = services
  const due = await findDueRotations({ database, now: clock.now() }, BATCH, after)
  let [rotated, failed] = [0, 0]
  for (const { id: conversationId } of due) {
    if (stop.aborted) break
    try {
      if (await rotateIfDue(services, conversationId, 'SKIP')) rotated++
    } catch (error) {
      failed++
      log.error({ conversationId, reason: (error as Error).message }, 'rotation failed')
    }
  }
  return { rotated, failed, last: due.length < BATCH ? null : (due.at(-1) ?? null) }
}
