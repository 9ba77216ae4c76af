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

/**
 * The same for the end of deactivated versions.
 *
 * @param which ALL where somebody has set a time for this conversation; UNKEPT leaves those whose destruction was cancelled
 */
export async function applyExpiry(
  em: EntityManager,
  { id: conversationId }: Conversation,
  policy: KeyPolicy,
  which: 'ALL' | 'UNKEPT'
): Promise<void> {
  const deactivated = { conversationId, state: 'DEACTIVATED' as const }
  const found = await em.find(ConversationKeyEntity, which === 'ALL' ? deactivated : { ...deactivated, keptAt: null })
  for (const { version, deactivatedAt } of found) {
    const end = deactivatedAt && destroysAt(policy, deactivatedAt)
    await em.nativeUpdate(ConversationKeyEntity, { conversationId, version }, { destroysAt: end, keptAt: null })
  }
}
