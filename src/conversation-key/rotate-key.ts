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
import { lockConversation, memberRole } from '../membership/roles.js'
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
  await requireKeyRights(services, viewer, conversationId)
  return await services.keySupply.withKeyPair(async (em, pair) => {
    const conversation = await lockConversation(em, conversationId)
    const activation = {
      reason: 'REQUESTED' as const,
      now: services.clock.now(),
      rotateAfter: services.config.keyRotateAfter
    }
    return await activateNextVersion(em, conversation, pair, activation)
  })
}

/** The owner of a conversation rotates its key; an administrator of keys any, without being a member. */
async function requireKeyRights(
  services: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationId: string
): Promise<void> {
  if (viewer.scopes.has('keys:admin')) return
  const role = await memberRole(services.database.entities(), conversationId, viewer.id)
  if (!role) throw new NotFound('conversation')
  if (role !== 'OWNER') throw new Forbidden('Only the owner of a conversation can rotate its key.')
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
