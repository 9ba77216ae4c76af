import type { EntityManager } from '@mikro-orm/postgresql'
import { activateNextVersion } from '../conversation-key/activate-version.js'
import { appendKeyEvent } from '../conversation-key/key-events.js'
import { auditRefusal, requireScope } from '../conversation-key/key-rights.js'
import { requireTransition } from '../conversation-key/key-states.js'
import { type ConversationKey, ConversationKeyEntity } from '../database/entities.js'
import { Conflict } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { lockConversation } from '../membership/roles.js'
import type { Services } from '../services.js'
import { countCompromised } from './count-compromised.js'
import { type KeyVersion, lockKey } from './destroy-key.js'
import { type KeyOperation, lockOpenOperations, queueOperation, supersedeOperations } from './key-operations.js'

/**
 * Marks a version as compromised: its private key, or a data key under it, may be in other hands. The active
 * version is rotated away from in the same step. What lies under the version is then encrypted anew, bodies
 * included since whoever has the private key has the old data keys, and the version destroyed.
 */
export async function markKeyCompromised(
  services: Pick<Services, 'database' | 'clock' | 'config' | 'keyDefaultsId' | 'keySupply' | 'jobs' | 'signals'>,
  viewer: Viewer,
  target: KeyVersion
): Promise<{ key: ConversationKey; operation: KeyOperation }> {
  const asked = { conversationId: target.conversationId, keyVersion: target.version }
  const marked = await auditRefusal(services, viewer, { operation: 'markKeyCompromised', ...asked }, async () => {
    requireScope(viewer, 'keys:admin')
    return await services.keySupply.withKeyPair(async (em, takePair) => {
      const now = services.clock.now()
      // An ordinary re-encryption of the version would leave the bodies as they are.
      const underWay = await lockOpenOperations(em, target)
      const conversation = await lockConversation(em, target.conversationId)
      await supersedeOperations(em, underWay, { now, actor: viewer.id })
      if (target.version === conversation.activeKeyVersion) {
        const activation = { reason: 'COMPROMISED' as const, now, actor: viewer.id }
        await activateNextVersion(em, conversation, await takePair(), services, activation)
      }
      const key = await mark(em, target, now, viewer.id)
      const operation = await queueOperation(em, {
        kind: 'REENCRYPT',
        actor: viewer.id,
        ...asked,
        total: await countCompromised(em, target),
        now
      })
      return { key, operation }
    })
  })
  services.signals.publish(`keys:${target.conversationId}`)
  services.jobs.nudge(marked.operation)
  return marked
}

async function mark(em: EntityManager, target: KeyVersion, now: Date, actor: string): Promise<ConversationKey> {
  const key = await lockKey(em, target)
  // The table has the way back from there, for a destruction that is cancelled: this is not it.
  if (key.state === 'PENDING_DESTRUCTION')
    throw new Conflict('The key version waits for its destruction. Cancel that first.')
  requireTransition(key.state, 'COMPROMISED')
  const compromised = { state: 'COMPROMISED' as const, compromisedAt: now, destroysAt: null }
  await em.nativeUpdate(ConversationKeyEntity, { ...target }, compromised)
  await appendKeyEvent(em, {
    at: now,
    actor,
    action: 'key.compromised',
    conversationId: target.conversationId,
    keyVersion: target.version,
    detail: 'reason=REQUESTED'
  })
  return { ...key, ...compromised }
}
