import type { EntityManager } from '@mikro-orm/postgresql'
import { appendKeyEvent } from '../conversation-key/key-events.js'
import { auditRefusal } from '../conversation-key/key-rights.js'
import { ConversationEntity, type ConversationKey, ConversationKeyEntity, MemberEntity } from '../database/entities.js'
import type { Viewer } from '../identity/viewer.js'
import { lockConversation, requireRight } from '../membership/roles.js'
import type { Services } from '../services.js'
import { destroyNow, putOnTheWay } from './destroy-key.js'
import { lockOpenOperations, queueOperation, supersedeOperations } from './key-operations.js'

/**
 * Deletes a conversation and destroys all of its keys in the same transaction: what was sent in it cannot be read
 * from the database any more. A job then removes the rows.
 */
export async function deleteConversation(
  services: Pick<Services, 'database' | 'clock' | 'signals' | 'jobs' | 'keyring'>,
  viewer: Viewer,
  conversationId: string
): Promise<void> {
  const asked = { operation: 'deleteConversation', conversationId }
  const { operation, members } = await auditRefusal(services, viewer, asked, () =>
    services.database.transaction(async (em) => {
      await requireRight(em, conversationId, viewer, 'delete the conversation')
      const now = services.clock.now()
      const underWay = await lockOpenOperations(em, { conversationId, version: null })
      const conversation = await lockConversation(em, conversationId)
      await supersedeOperations(em, underWay, { now, actor: viewer.id })
      for (const key of await em.find(ConversationKeyEntity, { conversationId }))
        await destroyAtOnce(em, key, now, viewer.id)
      const columns = { deletedAt: now, dataKeyId: null, dataKeyExpiresAt: null, title: null, titleDataKeyId: null }
      await em.nativeUpdate(ConversationEntity, { id: conversationId }, columns)
      const work = { kind: 'PURGE' as const, actor: viewer.id, conversationId, keyVersion: null }
      const members = await em.find(MemberEntity, { conversationId }, { fields: ['userId'] })
      return { members, operation: await queueOperation(em, { ...work, total: conversation.lastSequence, now }) }
    })
  )
  services.keyring.forget(conversationId)
  services.signals.publish(`conversation:${conversationId}`)
  services.signals.publish(`keys:${conversationId}`)
  for (const { userId } of members) services.signals.publish(`user:${userId}`)
  services.jobs.nudge(operation)
}

/** Takes a version through every state on its way, whichever it is in. */
async function destroyAtOnce(em: EntityManager, key: ConversationKey, now: Date, actor: string): Promise<void> {
  if (key.state === 'DESTROYED') return
  const end = { now, actor, reason: 'DELETED' as const }
  const inactive = key.state === 'ACTIVE' ? await deactivate(em, key, now, actor) : key
  const pending =
    inactive.state === 'PENDING_DESTRUCTION' ? inactive : await putOnTheWay(em, inactive, { ...end, destroysAt: now })
  await destroyNow(em, pending, end)
}

async function deactivate(em: EntityManager, key: ConversationKey, now: Date, actor: string): Promise<ConversationKey> {
  const { conversationId, version } = key
  const deactivated = { state: 'DEACTIVATED' as const, deactivatedAt: now }
  await em.nativeUpdate(ConversationKeyEntity, { conversationId, version }, deactivated)
  await appendKeyEvent(em, {
    at: now,
    actor,
    action: 'key.deactivated',
    conversationId,
    keyVersion: version,
    detail: 'reason=DELETED'
  })
  return { ...key, ...deactivated }
}
