import type { EntityManager } from '@mikro-orm/postgresql'
import { runIn } from '../database/database.js'
import type { KeyAction } from './key-actions.js'

/** Who acts when nobody asked: the schedule. No user can have this id. */
export const SCHEDULER = 'scheduler'

export interface KeyEventDraft {
  at: Date
  /** User id, or {@link SCHEDULER}. */
  actor: string
  action: KeyAction
  conversationId: string | null
  keyVersion: number | null
  /** In words, or `name=value` pairs: never a key, a title or a body. */
  detail: string | null
}

/**
 * One of the audit trail: every transition of a key, every operation on keys and every one that was refused,
 * append-only and hash-chained, written in the transaction of what it records.
 *
 * There are {@link SHARDS} chains, and a conversation's events are in one of them, so that key operations
 * of the whole deployment do not wait for one row. An anchor now and then records the heads of all chains
 * in one of them. See docs/adr/0007.
 */
export interface KeyEvent extends Omit<KeyEventDraft, 'action'> {
  sequence: number
  action: string
  hash: Buffer
}

/** As the database function append_key_events has it. */
export const SHARDS = 16

/** Columns of a {@link KeyEvent}. */
export const KEY_EVENT_COLUMNS = `
  sequence::float8 as sequence, at, actor, action, conversation_id as "conversationId", key_version as "keyVersion",
  detail, hash`

/** Sequence of the nth event of a chain; of the place before the first for n = 0. */
export function sequenceOf(shard: number, n: number): number {
  return (n - 1) * SHARDS + shard + 1
}

/** How many events its chain has up to the one with this sequence. */
export function countUpTo(sequence: number): number {
  return Math.ceil(sequence / SHARDS)
}

/** The chain that an event with this sequence is in. */
export function shardOf(sequence: number): number {
  return (sequence - 1) % SHARDS
}

/** As the database function append_key_events has it. */
const APPEND = { text: 'select append_key_events($1, $2, $3, $4, $5, $6)' }

/** The table itself is closed to the roles of API and worker: a chain grows by these functions only. */
const LOCK_HEADS = { text: 'select lock_key_event_heads($1)' }

/** Appends to the chain, in the caller's transaction; the chain's head stays locked until it ends. */
export async function appendKeyEvent(em: EntityManager, event: KeyEventDraft): Promise<void> {
  await appendKeyEvents(em, event, [event])
}

/** The same event for many key versions, each in the chain of its conversation. */
export async function appendKeyEvents(
  em: EntityManager,
  { at, actor, action, detail }: Omit<KeyEventDraft, 'conversationId' | 'keyVersion'>,
  keys: readonly Pick<KeyEventDraft, 'conversationId' | 'keyVersion'>[]
): Promise<void> {
  const [conversations, versions] = [keys.map((key) => key.conversationId), keys.map((key) => key.keyVersion)]
  await runIn(em, APPEND, [at, actor, action, conversations, versions, detail])
}

/**
 * Locks the chains of conversations before anything else is locked: whoever appends to several chains and holds
 * rows of keys meanwhile would otherwise deadlock with a transaction that has a chain and wants such a row.
 */
export async function lockChains(em: EntityManager, conversationIds: readonly string[]): Promise<void> {
  await runIn(em, LOCK_HEADS, [conversationIds])
}
