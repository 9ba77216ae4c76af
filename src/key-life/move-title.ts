import type { EntityManager } from '@mikro-orm/postgresql'
import { encryptTitle, openTitle } from '../conversation/title.js'
import { type Conversation, ConversationEntity, DataKeyEntity } from '../database/entities.js'
import { KeyUnavailable } from '../errors.js'
import type { Services } from '../services.js'
import { addDataKey } from './add-data-key.js'

/**
 * Encrypts the title anew under the active version where it lies under an old one that is about to go: a title
 * is of today, whenever it was set, and does not share the end of old messages.
 *
 * @param conversation locked
 */
export async function moveTitle(
  services: Pick<Services, 'keyring' | 'log' | 'clock' | 'metrics'>,
  em: EntityManager,
  conversation: Conversation,
  fromVersion: number
): Promise<void> {
  const { id: conversationId, titleDataKeyId, titleRevision } = conversation
  if (!titleDataKeyId) return
  const under = await em.findOne(DataKeyEntity, { conversationId, id: titleDataKeyId })
  if (under?.keyVersion !== fromVersion && !under?.earlierVersions.includes(fromVersion)) return
  const title = await openIfPossible(services, conversation)
  // Damaged: it is lost already, and must not keep the key.
  if (title === null) return
  const key = await addDataKey(services, em, conversationId)
  const columns = encryptTitle(title, conversationId, titleRevision + 1, key)
  await em.nativeUpdate(ConversationEntity, { id: conversationId }, columns)
}

/** @throws KeyUnavailable when the master key is out of reach: the move is made later */
async function openIfPossible(
  services: Pick<Services, 'keyring' | 'log'>,
  conversation: Conversation
): Promise<string | null> {
  const { id, titleDataKeyId } = conversation
  const opened = await services.keyring.openForWork(id, titleDataKeyId ? [titleDataKeyId] : [])
  if (opened.size === 0) return null
  try {
    return await openTitle(services, conversation)
  } catch (error) {
    if (error instanceof KeyUnavailable) return null
    throw error
  }
}
