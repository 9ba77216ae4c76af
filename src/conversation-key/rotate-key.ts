import type { EntityManager } from '@mikro-orm/postgresql'
import { type ConversationKey, ConversationKeyEntity } from '../database/entities.js'
import { NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { lockConversation } from '../membership/roles.js'
import type { Services } from '../services.js'
import { activateNextVersion } from './activate-version.js'
import { auditRefusal, requireKeyRights } from './key-rights.js'

/**
 * Makes version n+1 the active key of a conversation, on request of its owner or a key
 * administrator. Sends and reads go on meanwhile; what was sent before stays readable. Of several who ask at
 * the same time all get the same new version.
 */
export async function rotateKey(
  services: Pick<Services, 'keySupply' | 'keyDefaultsId' | 'clock' | 'config' | 'database'>,
  viewer: Viewer,
  conversationId: string
): Promise<ConversationKey> {
  return await auditRefusal(services, viewer, { conversationId, operation: 'rotateKey' }, async () => {
    const { database, keySupply, clock } = services
    // Before anything is generated for a stranger; and again below, where it cannot change any more.
    await requireKeyRights(database.entities(), viewer, conversationId)
    const asked = await activeVersion(database.entities(), conversationId)
    return await keySupply.withKeyPair(async (em, takePair) => {
      await requireKeyRights(em, viewer, conversationId)
      const conversation = await lockConversation(em, conversationId)
      // Somebody else has rotated since this was asked for: it is done.
      if (conversation.activeKeyVersion !== asked.version) return await activeVersion(em, conversationId)
      const activation = { reason: 'REQUESTED' as const, now: clock.now(), actor: viewer.id }
      return await activateNextVersion(em, conversation, await takePair(), services, activation)
    })
  })
}

async function activeVersion(em: EntityManager, conversationId: string): Promise<ConversationKey> {
  const key = await em.findOne(ConversationKeyEntity, { conversationId, state: 'ACTIVE' })
  if (!key) throw new NotFound('conversation')
  return key
}
