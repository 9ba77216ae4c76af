import { defineEntity, type InferEntity, p } from '@mikro-orm/core'
import type { ModulusBits } from '../crypto/key-transport.js'
import type { Duration } from '../duration.js'

/**
 * The tables, for everything off the hot paths. Sending and reading messages have SQL of their own
 * in src/message. Rows of one conversation refer to it by id and not by object: a conversation is
 * the unit of distribution, and nothing loads it as a graph.
 */

export type MemberRole = 'OWNER' | 'MODERATOR' | 'MEMBER'
export type HistoryVisibility = 'FULL' | 'SINCE_JOINED'
export type KeyState = 'PRE_ACTIVATION' | 'ACTIVE' | 'DEACTIVATED' | 'COMPROMISED' | 'PENDING_DESTRUCTION' | 'DESTROYED'
export type RotationReason = 'CREATED' | 'SCHEDULED' | 'MESSAGE_LIMIT' | 'REQUESTED' | 'MEMBER_REMOVED' | 'COMPROMISED'

/** When keys of a conversation rotate and are destroyed. Null means never. */
export interface KeyPolicy {
  /** Originator-usage period (SP 800-57 part 1, section 5.3.4), from activation. */
  rotateAfter: Duration | null
  rotateAfterMessages: number | null
  /** Recipient-usage period, from deactivation. */
  destroyAfter: Duration | null
  rotateOnMemberRemoval: boolean
}

/** What a conversation sets for itself; what is absent follows the deployment. */
export type KeyPolicyOverrides = Partial<KeyPolicy>

export const UserEntity = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: {
    id: p.text().primary(),
    name: p.text(),
    createdAt: p.datetime()
  }
})
export type User = InferEntity<typeof UserEntity>

export const ConversationEntity = defineEntity({
  name: 'Conversation',
  tableName: 'conversations',
  properties: {
    id: p.uuid().primary(),
    historyVisibility: p.text().$type<HistoryVisibility>(),
    /** Envelope; null without a title. */
    title: p.blob().$type<Buffer>().strictNullable(),
    titleDataKeyId: p.uuid().strictNullable(),
    titleRevision: p.integer(),
    lastSequence: p.integer(),
    lastChange: p.bigint('number'),
    activeKeyVersion: p.integer(),
    /** The data key that messages are sent under; null until the next send makes one. */
    dataKeyId: p.uuid().strictNullable(),
    dataKeyUses: p.integer(),
    dataKeyExpiresAt: p.datetime().strictNullable(),
    /** Messages under that data key: `data_keys.message_count` gets them when another takes its place. */
    dataKeyMessages: p.integer(),
    /** What the conversation sets for itself, over the deployment's defaults. */
    keyPolicy: p.json<KeyPolicyOverrides>(),
    /** The deployment's defaults that were applied last, by their number in `key_policy_defaults`. */
    keyDefaultsId: p.integer(),
    /** When the active key is due, by time or because its message limit is reached; null for never. */
    keyRotatesAt: p.datetime().strictNullable(),
    keyMessageLimit: p.integer().strictNullable(),
    /** Whether a message was stored under the active key: one that was never used is never due. */
    keyUsed: p.boolean(),
    /** Messages and edits stored under the active key. */
    keyMessages: p.integer(),
    createdAt: p.datetime(),
    lastActivityAt: p.datetime(),
    deletedAt: p.datetime().strictNullable()
  }
})
export type Conversation = InferEntity<typeof ConversationEntity>

export const MemberEntity = defineEntity({
  name: 'Member',
  tableName: 'members',
  properties: {
    conversationId: p.uuid().primary(),
    userId: p.text().primary(),
    role: p.text().$type<MemberRole>(),
    joinedAt: p.datetime(),
    /** Messages up to this sequence stay hidden from the member; 0 shows the whole history. */
    visibleAfter: p.integer(),
    /** The latest change of the conversation when the member joined. */
    joinedChange: p.bigint('number'),
    lastReadSequence: p.integer()
  }
})
export type Member = InferEntity<typeof MemberEntity>

export const ConversationKeyEntity = defineEntity({
  name: 'ConversationKey',
  tableName: 'conversation_keys',
  properties: {
    conversationId: p.uuid().primary(),
    version: p.integer().primary(),
    keyId: p.uuid(),
    state: p.text().$type<KeyState>(),
    modulusBits: p.integer().$type<ModulusBits>(),
    /** DER SubjectPublicKeyInfo. */
    publicKey: p.blob().$type<Buffer>(),
    /** Envelope; null once destroyed. */
    wrappedPrivateKey: p.blob().$type<Buffer>().strictNullable(),
    /** URI of the master key that wraps it; null once destroyed. */
    masterKey: p.text().strictNullable(),
    /** The key service's own version of the master key that it lies under; null where there are none. */
    masterKeyVersion: p.text().strictNullable(),
    rotationReason: p.text().$type<RotationReason>(),
    createdAt: p.datetime(),
    activatedAt: p.datetime(),
    rotatesAt: p.datetime().strictNullable(),
    deactivatedAt: p.datetime().strictNullable(),
    compromisedAt: p.datetime().strictNullable(),
    /** End of the recipient-usage period of a deactivated key, or of the grace period of one that waits for destruction. */
    destroysAt: p.datetime().strictNullable(),
    /** What cancelling the destruction goes back to. */
    stateBeforeDestruction: p.text().$type<KeyState>().strictNullable(),
    destroyedAt: p.datetime().strictNullable(),
    /** When its destruction was cancelled: it then stays until somebody decides again. */
    keptAt: p.datetime().strictNullable()
  }
})
export type ConversationKey = InferEntity<typeof ConversationKeyEntity>

export const PooledKeyEntity = defineEntity({
  name: 'PooledKey',
  tableName: 'pooled_keys',
  properties: {
    keyId: p.uuid().primary(),
    modulusBits: p.integer().$type<ModulusBits>(),
    publicKey: p.blob().$type<Buffer>(),
    wrappedPrivateKey: p.blob().$type<Buffer>(),
    masterKey: p.text(),
    masterKeyVersion: p.text().strictNullable(),
    createdAt: p.datetime()
  }
})
export type PooledKey = InferEntity<typeof PooledKeyEntity>

export const DataKeyEntity = defineEntity({
  name: 'DataKey',
  tableName: 'data_keys',
  properties: {
    conversationId: p.uuid().primary(),
    id: p.uuid().primary(),
    keyVersion: p.integer(),
    /** Envelope; null once its key version is destroyed. */
    wrappedKey: p.blob().$type<Buffer>().strictNullable(),
    createdAt: p.datetime(),
    /** Messages under it, without those that the conversation's row still counts. */
    messageCount: p.integer(),
    /** Versions that it was wrapped under before: their private keys still open what an old backup has. */
    earlierVersions: p.array((version) => Number(version)).columnType('integer[]')
  }
})

export const entities = [
  UserEntity,
  ConversationEntity,
  MemberEntity,
  ConversationKeyEntity,
  PooledKeyEntity,
  DataKeyEntity
]
