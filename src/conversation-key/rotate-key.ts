import type { EntityManager } from '@mikro-orm/postgresql'
import {
  type Conversation,
  ConversationEntity,
  type ConversationKey,
  ConversationKeyEntity,
  type RotationReason
} from '../database/entities.js'
import { addDuration, type Duration } from '../duration.js'
import { Forbidden, NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { lockConversation, lockMembers, memberRole } from '../membership/roles.js'
import type { Services } from '../services.js'
import type { WrappedKeyPair } from './key-supply.js'

/**
 * Makes version n+1 the active key of a conversation, on request of its owner or a key
 * administrator. Sends and reads go on meanwhile; what was sent before stays readable.
 */
export async function rotateKey(
  services: Pick<Services, 'keySupply' | 'clock' | 'config' | 'database'>,
  viewer: Viewer,
  conversationId: string
): Promise<ConversationKey> {
  // Before anything is generated for a stranger; and again below, where it cannot change any more.
  await requireKeyRights(services.database.entities(), viewer, conversationId)
  return await services.keySupply.withKeyPair(async (em, pair) => {
    await requireKeyRights(em, viewer, conversationId)
    const conversation = await lockConversation(em, conversationId)
    const activation = {
      reason: 'REQUESTED' as const,
      now: services.clock.now(),
      rotateAfter: services.config.keyRotateAfter
    }
    return await activateNextVersion(em, conversation, pair, activation)
  })
}

/**
 * The owner of a conversation rotates its key; an administrator of keys any, without being a member. In a
 * transaction the membership is locked, so that the right lasts until it ends.
 */
async function requireKeyRights(em: EntityManager, viewer: Viewer, conversationId: string): Promise<void> {
  if (viewer.scopes.has('keys:admin')) return await requireExists(em, conversationId)
  const role = em.isInTransaction()
    ? (await lockMembers(em, conversationId, [viewer.id])).get(viewer.id)
    : await memberRole(em, conversationId, viewer.id)
  if (!role) throw new NotFound('conversation')
  if (role !== 'OWNER') throw new Forbidden('Only the owner of a conversation can rotate its key.')
}

async function requireExists(em: EntityManager, conversationId: string): Promise<void> {
  const found = await em.count(ConversationEntity, { id: conversationId, deletedAt: null })
  if (found === 0) throw new NotFound('conversation')
}

/** @param conversation locked: the old version is deactivated and the new one activated in one step */
async function activateNextVersion(
  em: EntityManager,
  conversation: Conversation,
  pair: WrappedKeyPair,
  activation: { reason: RotationReason; now: Date; rotateAfter: Duration }
): Promise<ConversationKey> {
  const active = { conversationId: conversation.id, version: conversation.activeKeyVersion }
  await em.nativeUpdate(ConversationKeyEntity, active, { state: 'DEACTIVATED', deactivatedAt: activation.now })
  const key = keyVersionOf(conversation.id, active.version + 1, pair, activation)
  await em.insert(ConversationKeyEntity, key)
  // Without a data key the next send makes one under the new version; a send that holds the old one loses.
  await em.nativeUpdate(
    ConversationEntity,
    { id: conversation.id },
    { activeKeyVersion: key.version, dataKeyId: null, dataKeyUses: 0, dataKeyExpiresAt: null }
  )
  return key
}

/** The row of a key version that becomes active now. */
export function keyVersionOf(
  conversationId: string,
  version: number,
  pair: WrappedKeyPair,
  activation: { reason: RotationReason; now: Date; rotateAfter: Duration }
): ConversationKey {
  return {
    conversationId,
    version,
    keyId: pair.keyId,
    modulusBits: pair.modulusBits,
    publicKey: pair.publicKey,
    wrappedPrivateKey: pair.wrappedPrivateKey,
    masterKey: pair.masterKey,
    createdAt: pair.createdAt,
    state: 'ACTIVE',
    rotationReason: activation.reason,
    activatedAt: activation.now,
    rotatesAt: addDuration(activation.now, activation.rotateAfter),
    deactivatedAt: null,
    destroyedAt: null
  } as ConversationKey
}
