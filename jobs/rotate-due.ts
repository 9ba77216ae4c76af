import { findDueRotations, rotateIfDue } from '../src/conversation-key/rotate-due.js'
import type { Services } from '../src/services.js'

const BATCH = 50

/** Rotates keys that are due and used, those longest overdue first, until none is left. */
export async function rotateDue(services: Services, stop: AbortSignal): Promise<void> {
  let rotated = 0
  do {
    rotated = await rotateDueBatch(services, stop)
  } while (rotated > 0 && !stop.aborted)
}

/** @returns how many this call rotated; none when others are at work on what is due, or nothing is */
export async function rotateDueBatch(services: Services, stop: AbortSignal): Promise<number> {
  const { database, clock, log } = services
  let rotated = 0
  for (const conversationId of await findDueRotations({ database, now: clock.now(), limit: BATCH })) {
    if (stop.aborted) break
    try {
      if (await rotateIfDue(services, conversationId, 'SKIP')) rotated++
    } catch (error) {
      // One conversation that cannot be rotated must not hold up the others.
      log.error({ conversationId, reason: (error as Error).message }, 'rotation failed')
    }
  }
  return rotated
}
