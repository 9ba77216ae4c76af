import { ConversationEntity } from '../database/entities.js'
import type { Services } from '../services.js'
import { effectivePolicy, type KeyPolicy } from './key-policy.js'

/** The policy that a conversation has, for whoever may see the keys of any; null where there is none, or not any more. */
export async function findKeyPolicy(
  { database, config }: Pick<Services, 'database' | 'config'>,
  conversationId: string
): Promise<KeyPolicy | null> {
  const found = await database.entities().findOne(ConversationEntity, { id: conversationId, deletedAt: null })
  return found && effectivePolicy(config.keyPolicy, found.keyPolicy)
}
