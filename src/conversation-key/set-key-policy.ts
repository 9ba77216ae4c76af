import type { EntityManager } from '@mikro-orm/postgresql'
import { type Conversation, ConversationEntity, ConversationKeyEntity } from '../database/entities.js'
import type { Viewer } from '../identity/viewer.js'
import { lockConversation } from '../membership/roles.js'
import type { Services } from '../services.js'
import { destroysAt, rotatesAt } from './activate-version.js'
import { appendKeyEvent } from './key-events.js'
import { changePolicy, effectivePolicy, type KeyPolicy, type KeyPolicyDraft } from './key-policy.js'
import { auditRefusal, requireKeyRights } from './key-rights.js'

/** Sets the policy of a conversation; the active key and those that wait for their end follow it at once. */
export async function setKeyPolicy(
  services: Pick<Services, 'database' | 'clock' | 'config'>,
  viewer: Viewer,
  conversationId: string,
  draft: KeyPolicyDraft
): Promise<KeyPolicy> {
  const { database, clock, config } = services
  return await auditRefusal(services, viewer, { conversationId, operation: 'setKeyPolicy' }, async () => {
    return await database.transaction(async (em) => {
      await requireKeyRights(em, viewer, conversationId)
      const conversation = await lockConversation(em, conversationId)
      const overrides = changePolicy('policy', config.keyPolicy, conversation.keyPolicy, draft)
      const policy = effectivePolicy(config.keyPolicy, overrides)
      const now = clock.now()
      await applyPolicy(em, conversation, policy, now)
      if (draft.destroyAfter !== undefined) await moveExpiries(em, conversationId, policy)
      await em.nativeUpdate(ConversationEntity, { id: conversationId }, { keyPolicy: overrides })
      const event = { at: now, actor: viewer.id, action: 'key.policy-set' as const, conversationId, keyVersion: null }
      await appendKeyEvent(em, { ...event, detail: describe(policy) })
      return policy
    })
  })
}

async function applyPolicy(em: EntityManager, conversation: Conversation, policy: KeyPolicy, now: Date): Promise<void> {
  const { id, activeKeyVersion, keyMessages } = conversation
  const active = await em.findOneOrFail(ConversationKeyEntity, { conversationId: id, version: activeKeyVersion })
  const due = rotatesAt(policy, active.activatedAt)
  await em.nativeUpdate(ConversationKeyEntity, { conversationId: id, version: activeKeyVersion }, { rotatesAt: due })
  const limit = policy.rotateAfterMessages
  const limitReached = limit !== null && keyMessages >= limit
  await em.nativeUpdate(ConversationEntity, { id }, { keyRotatesAt: limitReached ? now : due, keyMessageLimit: limit })
}

/** Also of versions whose destruction was cancelled: who sets a new time means all of them. */
async function moveExpiries(em: EntityManager, conversationId: string, policy: KeyPolicy): Promise<void> {
  for (const key of await em.find(ConversationKeyEntity, { conversationId, state: 'DEACTIVATED' })) {
    const end = key.deactivatedAt && destroysAt(policy, key.deactivatedAt)
    await em.nativeUpdate(ConversationKeyEntity, { conversationId, version: key.version }, { destroysAt: end })
  }
}

function describe(policy: KeyPolicy): string {
  return Object.entries(policy)
    .map(([name, value]) => `${name}=${value ?? 'never'}`)
    .join(' ')
}
