import type { EntityManager } from '@mikro-orm/postgresql'
import { type Conversation, ConversationEntity, ConversationKeyEntity } from '../database/entities.js'
import { destroysAt, rotatesAt } from './activate-version.js'
import type { KeyPolicy } from './key-policy.js'

/** Moves the due time of the active key to where a policy has it. @param conversation locked */
export async function applyRotation(
  em: EntityManager,
  { id, activeKeyVersion, keyMessages }: Conversation,
  policy: KeyPolicy,
  now: Date
): Promise<void> {
  const version = { conversationId: id, version: activeKeyVersion }
  const { activatedAt } = await em.findOneOrFail(ConversationKeyEntity, version)
  const due = rotatesAt(policy, activatedAt)
  await em.nativeUpdate(ConversationKeyEntity, version, { rotatesAt: due })
  const limit = policy.rotateAfterMessages
  const limitReached = limit !== null && keyMessages >= limit
  await em.nativeUpdate(ConversationEntity, { id }, { keyRotatesAt: limitReached ? now : due, keyMessageLimit: limit })
}

/** The same for the end of deactivated versions, also of those whose destruction was cancelled: a new time is for all. */
export async function applyExpiry(em: EntityManager, { id }: Conversation, policy: KeyPolicy): Promise<void> {
  for (const key of await em.find(ConversationKeyEntity, { conversationId: id, state: 'DEACTIVATED' })) {
    const end = key.deactivatedAt && destroysAt(policy, key.deactivatedAt)
    await em.nativeUpdate(ConversationKeyEntity, { conversationId: id, version: key.version }, { destroysAt: end })
  }
}
