import { applyDefaults, findBehindDefaults } from '../src/conversation-key/key-defaults.js'
import type { Services } from '../src/services.js'

const BATCH = 100

/** Takes changed defaults to the conversations that were there before. One that fails is tried again with the next run. */
export async function applyKeyDefaults(services: Services, stop: AbortSignal): Promise<void> {
  let applied: number
  do {
    applied = 0
    for (const conversationId of await findBehindDefaults(services, BATCH)) {
      if (stop.aborted) return
      try {
        await applyDefaults(services, conversationId)
        applied++
      } catch (error) {
        services.log.error({ conversationId, reason: (error as Error).message }, 'defaults could not be applied')
      }
    }
    // With fewer, those that failed are what is left.
  } while (applied === BATCH)
}
