import { applyDefaults, type BehindDefaults, findBehindDefaults } from '../src/conversation-key/key-defaults.js'
import type { Services } from '../src/services.js'

const BATCH = 100

/** Takes changed defaults to the conversations that were there before. One that cannot be is passed over until the next run. */
export async function applyKeyDefaults(services: Services, stop: AbortSignal): Promise<void> {
  let behind: BehindDefaults[] = []
  do {
    behind = await findBehindDefaults(services, BATCH, behind.at(-1) ?? null)
    for (const { id: conversationId } of behind) {
      if (stop.aborted) return
      try {
        await applyDefaults(services, conversationId)
      } catch (error) {
        services.log.error({ conversationId, reason: error }, 'defaults could not be applied')
      }
    }
  } while (behind.length === BATCH)
}
