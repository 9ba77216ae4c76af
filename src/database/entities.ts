import { defineEntity, type InferEntity, p } from '@mikro-orm/core'
import type { ModulusBits } from '../crypto/key-transport.js'

/**
 * The tables, for everything off the hot paths. Sending and reading messages have SQL of their own
 * in src/message. Rows of one conversation refer to it by id and not by object: a conversation is
 * the unit of distribution, and nothing loads it as a graph.
 */

export type MemberRole = 'OWNER' | 'MODERATOR' | 'MEMBER'
export type HistoryVisibility = 'FULL' | 'SINCE_JOINED'
export type KeyState = 'PRE_ACTIVATION' | 'ACTIVE' | 'DEACTIVATED' | 'COMPROMISED' | 'PENDING_DESTRUCTION' | 'DESTROYED'
export type RotationReason = 'CREATED' | 'SCHEDULED' | 'MESSAGE_LIMIT' | 'REQUESTED' | 'MEMBER_REMOVED' | 'COMPROMISED'

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
    rotationReason: p.text().$type<RotationReason>(),
    createdAt: p.datetime(),
    activatedAt: p.datetime(),
    rotatesAt: p.datetime().strictNullable(),
    deactivatedAt: p.datetime().strictNullable(),
    destroyedAt: p.datetime().strictNullable()
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
    createdAt: p.datetime()
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
