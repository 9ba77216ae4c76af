import type { EntityManager } from '@mikro-orm/postgresql'
import { ConversationEntity } from '../database/entities.js'
import type { Viewer } from '../identity/viewer.js'
import { lockConversation } from '../membership/roles.js'
import type { Services } from '../services.js'
import { applyExpiry, applyRotation } from './apply-policy.js'
import { appendKeyEvent } from './key-events.js'
import { changePolicy, describePolicy, effectivePolicy, type KeyPolicy, type KeyPolicyDraft } from './key-policy.js'
import { auditRefusal, requireKeyRights } from './key-rights.js'

/** Sets the policy of a conversation; the active key and those that wait for their end follow it at once. */
export async function setKeyPolicy(
  services: Pick<Services, 'database' | 'clock' | 'config' | 'keyDefaultsId'>,
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
      await applyRotation(em, conversation, policy, now)
      if (draft.destroyAfter !== undefined) await applyExpiry(em, conversation, policy, 'ALL')
      await em.nativeUpdate(
        ConversationEntity,
        { id: conversationId },
        { keyPolicy: overrides, keyDefaultsId: services.keyDefaultsId }
      )
      await recordPolicy(em, conversationId, policy, { now, actor: viewer.id })
      return policy
    })
  })
}

/** Writes the policy that a conversation has from now on into the audit trail. */
export async function recordPolicy(
  em: EntityManager,
  conversationId: string,
  policy: KeyPolicy,
  { now, actor }: { now: Date; actor: string }
): Promise<void> {
  await appendKeyEvent(em, { at: now, actor, conversationId, ...policyEvent(policy) })
}

/** What the audit trail says of a policy that a conversation has from now on. */
export function policyEvent(policy: KeyPolicy) {
  return { action: 'key.policy-set' as const, keyVersion: null, detail: describePolicy(policy) }
}
