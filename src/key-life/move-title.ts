import type { EntityManager } from '@mikro-orm/postgresql'
import { encryptTitle, openTitle } from '../conversation/title.js'
import { newDataKey } from '../conversation-key/new-data-key.js'
import { type Conversation, ConversationEntity, ConversationKeyEntity, DataKeyEntity } from '../database/entities.js'
import type { Services } from '../services.js'

/**
 * Encrypts the title anew under the active version where it lies under an old one that is about to go: a title
 * is of today, whenever it was set, and does not share the end of old messages.
 *
 * @param conversation locked
 */
export async function moveTitle(
  services: Pick<Services, 'keyring' | 'log' | 'clock'>,
  em: EntityManager,
  conversation: Conversation,
  fromVersion: number
): Promise<void> {
  const { id: conversationId, titleDataKeyId, titleRevision } = conversation
  if (!titleDataKeyId) return
  const under = await em.findOne(DataKeyEntity, { conversationId, id: titleDataKeyId })
  if (under?.keyVersion !== fromVersion) return
  const title = await openTitle(services, conversation)
  const active = await em.findOneOrFail(ConversationKeyEntity, { conversationId, state: 'ACTIVE' })
  const { id, dataKey, wrappedKey } = newDataKey(active.publicKey)
  const row = {
    conversationId,
    id,
    keyVersion: active.version,
    wrappedKey,
    createdAt: services.clock.now(),
    messageCount: 0
  }
  await em.insert(DataKeyEntity, row)
  const columns = encryptTitle(title, conversationId, titleRevision + 1, { dataKeyId: id, dataKey })
  await em.nativeUpdate(ConversationEntity, { id: conversationId }, columns)
}
