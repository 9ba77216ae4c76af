import type { EntityManager } from '@mikro-orm/postgresql'
import {
  type Conversation,
  ConversationEntity,
  type ConversationKey,
  ConversationKeyEntity,
  type RotationReason
} from '../database/entities.js'
import { addDuration } from '../duration.js'
import type { Services } from '../services.js'
import { appendKeyEvent } from './key-events.js'
import { effectivePolicy, type KeyPolicy } from './key-policy.js'
import { requireTransition } from './key-states.js'
import type { WrappedKeyPair } from './key-supply.js'

export interface Activation {
  reason: RotationReason
  now: Date
  actor: string
}

/** The columns of a conversation that follow from a key which is active from now on, and from its policy: it has no data key yet. */
export function activeKeyColumns(version: number, policy: KeyPolicy, activatedAt: Date) {
  return {
    activeKeyVersion: version,
    keyRotatesAt: rotatesAt(policy, activatedAt),
    keyMessageLimit: policy.rotateAfterMessages,
    keyUsed: false,
    keyMessages: 0,
    dataKeyId: null,
    dataKeyUses: 0,
    dataKeyMessages: 0,
    dataKeyExpiresAt: null
  }
}

export function rotatesAt({ rotateAfter }: KeyPolicy, activatedAt: Date): Date | null {
  return rotateAfter === null ? null : addDuration(activatedAt, rotateAfter)
}

export function destroysAt({ destroyAfter }: KeyPolicy, deactivatedAt: Date): Date | null {
  return destroyAfter === null ? null : addDuration(deactivatedAt, destroyAfter)
}

/**
 * Deactivates the active version and activates the next, in one step.
 *
 * @param conversation locked by the caller
 */
export async function activateNextVersion(
  em: EntityManager,
  conversation: Conversation,
  pair: WrappedKeyPair,
  { config, keyDefaultsId }: Pick<Services, 'config' | 'keyDefaultsId'>,
  activation: Activation
): Promise<ConversationKey> {
  const { now, actor, reason } = activation
  const policy = effectivePolicy(config.keyPolicy, conversation.keyPolicy)
  const old = { conversationId: conversation.id, version: conversation.activeKeyVersion }
  requireTransition('ACTIVE', 'DEACTIVATED')
  await em.nativeUpdate(ConversationKeyEntity, old, {
    state: 'DEACTIVATED',
    deactivatedAt: now,
    destroysAt: destroysAt(policy, now)
  })
  await appendKeyEvent(em, {
    at: now,
    actor,
    action: 'key.deactivated',
    conversationId: old.conversationId,
    keyVersion: old.version,
    detail: `reason=${reason}`
  })
  await settleDataKey(em, conversation)
  const key = await insertActiveVersion(em, conversation.id, old.version + 1, pair, policy, activation)
  // Without a data key the next send makes one under the new version; a send that holds the old one loses.
  await em.nativeUpdate(
    ConversationEntity,
    { id: conversation.id },
    {
      ...activeKeyColumns(key.version, policy, now),
      // Of a process with older defaults it is behind from now on, and the worker makes up for it.
      keyDefaultsId
    }
  )
  return key
}

/** Adds a version that is active from now on, and records it. */
export async function insertActiveVersion(
  em: EntityManager,
  conversationId: string,
  version: number,
  pair: WrappedKeyPair,
  policy: KeyPolicy,
  { now, actor, reason }: Activation
): Promise<ConversationKey> {
  const key: ConversationKey = {
    ...pair,
    conversationId,
    version,
    state: 'ACTIVE',
    rotationReason: reason,
    activatedAt: now,
    rotatesAt: rotatesAt(policy, now),
    deactivatedAt: null,
    compromisedAt: null,
    destroysAt: null,
    stateBeforeDestruction: null,
    destroyedAt: null,
    keptAt: null
  } as ConversationKey
  await em.insert(ConversationKeyEntity, key)
  await appendKeyEvent(em, { at: now, actor, conversationId, ...activationEvent(version, reason, pair) })
  return key
}

/** What the audit trail says of a version that is active from now on. */
export function activationEvent(version: number, reason: RotationReason, { keyId }: Pick<WrappedKeyPair, 'keyId'>) {
  return { action: 'key.activated' as const, keyVersion: version, detail: `reason=${reason} keyId=${keyId}` }
}

/** Gives the messages that the conversation's row counts for its data key to that data key. */
async function settleDataKey(em: EntityManager, { id, dataKeyId, dataKeyMessages }: Conversation): Promise<void> {
  if (!dataKeyId || dataKeyMessages === 0) return
  await em.execute('update data_keys set message_count = message_count + ? where conversation_id = ? and id = ?', [
    dataKeyMessages,
    id,
    dataKeyId
  ])
}
