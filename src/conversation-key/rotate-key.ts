import type { ConversationKey } from '../database/entities.js'
import type { Viewer } from '../identity/viewer.js'
import { lockConversation } from '../membership/roles.js'
import type { Services } from '../services.js'
import { activateNextVersion } from './activate-version.js'
import { auditRefusal, requireKeyRights } from './key-rights.js'

/**
 * Makes version n+1 the active key of a conversation, on request of its owner or a key
 * administrator. Sends and reads go on meanwhile; what was sent before stays readable.
 */
export async function rotateKey(
  services: Pick<Services, 'keySupply' | 'clock' | 'config' | 'database'>,
  viewer: Viewer,
  conversationId: string
): Promise<ConversationKey> {
  return await auditRefusal(services, viewer, { conversationId, operation: 'rotateKey' }, async () => {
    // Before anything is generated for a stranger; and again below, where it cannot change any more.
    await requireKeyRights(services.database.entities(), viewer, conversationId)
    return await services.keySupply.withKeyPair(async (em, takePair) => {
      await requireKeyRights(em, viewer, conversationId)
      const conversation = await lockConversation(em, conversationId)
      const activation = { reason: 'REQUESTED' as const, now: services.clock.now(), actor: viewer.id }
      return await activateNextVersion(em, conversation, await takePair(), services.config.keyPolicy, activation)
    })
  })
}
