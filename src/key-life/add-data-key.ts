import type { EntityManager } from '@mikro-orm/postgresql'
import { newDataKey } from '../conversation-key/new-data-key.js'
import type { DataKey } from '../crypto/keys.js'
import { ConversationKeyEntity, DataKeyEntity } from '../database/entities.js'
import type { Services } from '../services.js'

/**
 * Adds a data key under the active version of a conversation, for what is moved there; it does not become the one
 * that messages are sent under.
 *
 * @param em of a transaction that has locked the conversation
 */
export async function addDataKey(
  { clock, metrics }: Pick<Services, 'clock' | 'metrics'>,
  em: EntityManager,
  conversationId: string
): Promise<{ dataKeyId: string; dataKey: DataKey }> {
  const active = await em.findOneOrFail(ConversationKeyEntity, { conversationId, state: 'ACTIVE' })
  const { id, dataKey, wrappedKey } = newDataKey(active.publicKey, metrics)
  const row = {
    conversationId,
    id,
    keyVersion: active.version,
    wrappedKey,
    createdAt: clock.now(),
    messageCount: 0,
    earlierVersions: []
  }
  await em.insert(DataKeyEntity, row)
  return { dataKeyId: id, dataKey }
}
