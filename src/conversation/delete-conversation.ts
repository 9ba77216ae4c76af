import { ConversationEntity, ConversationKeyEntity, DataKeyEntity } from '../database/entities.js'
import type { Viewer } from '../identity/viewer.js'
import { lockConversation, requireRight } from '../membership/roles.js'
import type { Services } from '../services.js'

/**
 * Deletes a conversation and destroys its keys in the same transaction: what was sent in it cannot be read
 * any more, although its rows are still there. Old versions of the keys' rows stay in the database's files
 * until its next vacuum, and in its write-ahead log and backups for as long as those are kept.
 */
export async function deleteConversation(
  services: Pick<Services, 'database' | 'clock' | 'signals' | 'keyring'>,
  viewer: Viewer,
  conversationId: string
): Promise<void> {
  const lastChange = await services.database.transaction(async (em) => {
    await requireRight(em, conversationId, viewer, 'delete the conversation')
    const conversation = await lockConversation(em, conversationId)
    const now = services.clock.now()
    const all = { conversationId }
    await em.nativeUpdate(
      ConversationKeyEntity,
      { ...all, deactivatedAt: null },
      { deactivatedAt: now, state: 'DEACTIVATED' }
    )
    await em.nativeUpdate(
      ConversationKeyEntity,
      { ...all, destroyedAt: null },
      { destroyedAt: now, state: 'DESTROYED', wrappedPrivateKey: null, masterKey: null }
    )
    await em.nativeUpdate(DataKeyEntity, all, { wrappedKey: null })
    const columns = { deletedAt: now, dataKeyId: null, dataKeyExpiresAt: null, title: null, titleDataKeyId: null }
    await em.nativeUpdate(ConversationEntity, { id: conversationId }, columns)
    return conversation.lastChange
  })
  services.keyring.forget(conversationId)
  services.signals.publish(conversationId, lastChange)
}
