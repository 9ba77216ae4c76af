import { type DueDestruction, destroyIfDue, findDueDestructions } from '../src/key-life/destroy-key.js'
import type { Services } from '../src/services.js'

const BATCH = 50

/** Takes keys on whose time of use, or of grace, is over. One that cannot be is passed over until the next run. */
export async function destroyDue(services: Services, stop: AbortSignal): Promise<void> {
  const { database, clock, log } = services
  let due: DueDestruction[] = []
  do {
    due = await findDueDestructions({ database, now: clock.now() }, BATCH, due.at(-1) ?? null)
    for (const { conversationId, version } of due) {
      if (stop.aborted) return
      try {
        await destroyIfDue(services, { conversationId, version })
      } catch (error) {
        log.error({ conversationId, keyVersion: version, reason: error }, 'destruction failed')
      }
    }
  } while (due.length === BATCH)
}
