import { destroyIfDue, findDueDestructions } from '../src/key-life/destroy-key.js'
import type { Services } from '../src/services.js'

const BATCH = 50

/** Takes keys on whose time of use, or of grace, is over, until none is left. */
export async function destroyDue(services: Services, stop: AbortSignal): Promise<void> {
  const { database, clock, log } = services
  let moved = 0
  do {
    moved = 0
    for (const key of await findDueDestructions({ database, now: clock.now(), limit: BATCH })) {
      if (stop.aborted) return
      try {
        if (await destroyIfDue(services, key)) moved++
      } catch (error) {
        log.error({ ...key, reason: (error as Error).message }, 'destruction failed')
      }
    }
  } while (moved > 0)
}
