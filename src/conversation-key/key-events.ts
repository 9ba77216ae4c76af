import { createHash } from 'node:crypto'
import type { EntityManager } from '@mikro-orm/postgresql'
import type { Database, Statement } from '../database/database.js'

/**
 * The audit trail: every transition of a key, every operation on keys and every one that was refused,
 * append-only and hash-chained, written in the transaction of what it records.
 *
 * There are {@link SHARDS} chains, and a conversation's events are in one of them, so that key operations
 * of the whole deployment do not wait for one row. An anchor now and then records the heads of all chains
 * in one of them. See docs/adr/0007.
 */
export type KeyAction =
  | 'key.activated'
  | 'key.deactivated'
  | 'key.compromised'
  | 'key.destruction-scheduled'
  | 'key.destruction-cancelled'
  | 'key.destroyed'
  | 'key.reencrypted'
  | 'key.policy-set'
  | 'operation.started'
  | 'operation.finished'
  | 'operation.cancelled'
  | 'operation.refused'
  | 'audit.anchored'

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

export interface KeyEvent extends Omit<KeyEventDraft, 'action'> {
  sequence: number
  action: string
  hash: Buffer
}

export interface Verification {
  valid: boolean
  /** Events looked at. */
  checked: number
  firstInvalidSequence: number | null
}

interface ChainVerification {
  checked: number
  firstInvalid: number | null
}

/** As the database function append_key_event has it. */
const SHARDS = 16
const BATCH = 1000

/** Appends to the chain, in the caller's transaction; the chain's head stays locked until it ends. */
export async function appendKeyEvent(em: EntityManager, event: KeyEventDraft): Promise<void> {
  const { at, actor, action, conversationId, keyVersion, detail } = event
  await em.execute('select append_key_event(?, ?, ?, ?, ?, ?)', [at, actor, action, conversationId, keyVersion, detail])
}

const COLUMNS = `
  sequence::float8 as sequence, at, actor, action, conversation_id as "conversationId", key_version as "keyVersion",
  detail, hash`

const LIST: Statement = {
  name: 'list-key-events',
  text: `select ${COLUMNS} from key_events where sequence > $1 order by sequence limit $2`
}

const LIST_OF_CONVERSATION: Statement = {
  name: 'list-key-events-of-conversation',
  text: `select ${COLUMNS} from key_events where conversation_id = $3 and sequence > $1 order by sequence limit $2`
}

const COUNT: Statement = {
  name: 'count-key-events',
  text: `
    select case when $1::uuid is null then (select sum(count) from key_event_heads)
           else (select count(*) from key_events where conversation_id = $1) end::float8 as count`
}

/** Events in the order of their sequence: that of time within a conversation. */
export async function listKeyEvents(
  { database }: { database: Database },
  conversationId: string | null,
  after: number,
  limit: number
): Promise<KeyEvent[]> {
  if (conversationId === null) return await database.run(LIST, [after, limit])
  return await database.run(LIST_OF_CONVERSATION, [after, limit, conversationId])
}

export async function countKeyEvents(
  { database }: { database: Database },
  conversationId: string | null
): Promise<number> {
  const [row] = await database.run<{ count: number }>(COUNT, [conversationId])
  return row?.count ?? 0
}

const HEADS: Statement = {
  name: 'key-event-heads',
  text: 'select shard, count::float8 as count, hash from key_event_heads order by shard'
}

const CHAIN: Statement = {
  name: 'key-event-chain',
  text: `select ${COLUMNS} from key_events where shard = $1 and sequence > $2 order by sequence limit ${BATCH}`
}

interface Head {
  shard: number
  count: number
  hash: Buffer
}

/**
 * Writes down the heads of all chains, in the one that events without a conversation are in.
 *
 * @returns what was written; null when there is nothing to record yet
 */
export async function anchorKeyEvents({ database, now }: { database: Database; now: Date }): Promise<string | null> {
  const heads = (await database.run<Head>(HEADS, [])).filter(({ count }) => count > 0)
  if (heads.length === 0) return null
  const detail = heads.map(({ shard, count, hash }) => `${shard}:${count}:${hash.toString('hex')}`).join(' ')
  await database.transaction((em) =>
    appendKeyEvent(em, {
      at: now,
      actor: SCHEDULER,
      action: 'audit.anchored',
      conversationId: null,
      keyVersion: null,
      detail
    })
  )
  return detail
}

/**
 * Computes every hash anew, compares each chain with its head, and each anchor with what it recorded: a
 * changed, removed or inserted event is found, and so is a chain cut short.
 */
export async function verifyKeyEvents({ database }: { database: Database }): Promise<Verification> {
  const anchored = new Map<number, string>()
  const chains: ChainVerification[] = []
  // The chain of anchors comes first: what it recorded is then looked for in all the others.
  for (let shard = 0; shard < SHARDS; shard++) chains.push(await verifyChain(database, shard, anchored))
  const invalid = chains.flatMap(({ firstInvalid }) => (firstInvalid === null ? [] : [firstInvalid]))
  return {
    valid: invalid.length === 0,
    checked: chains.reduce((sum, { checked }) => sum + checked, 0),
    firstInvalidSequence: invalid.length > 0 ? Math.min(...invalid) : null
  }
}

async function verifyChain(
  database: Database,
  shard: number,
  anchored: Map<number, string>
): Promise<ChainVerification> {
  const head = await readHead(database, shard)
  let hash: Buffer = Buffer.alloc(32)
  let checked = 0
  const expected = () => sequenceOf(shard, checked + 1)
  if (!head) return { checked, firstInvalid: expected() }
  for await (const event of readChain(database, shard)) {
    if (checked === head.count) {
      // Added since the head was read, it has moved the head: it is the next verification's. Otherwise it was smuggled in.
      if (((await readHead(database, shard))?.count ?? 0) > head.count) break
      return { checked, firstInvalid: event.sequence }
    }
    hash = hashOf(hash, event)
    if (event.sequence !== expected() || !event.hash.equals(hash) || !isAsAnchored(anchored, event)) {
      return { checked, firstInvalid: Math.min(event.sequence, expected()) }
    }
    checked++
    if (event.action === 'audit.anchored') noteAnchor(event, anchored)
  }
  const complete = checked === head.count && head.hash.equals(hash) && !wasLonger(anchored, shard, checked)
  return { checked, firstInvalid: complete ? null : expected() }
}

async function readHead(database: Database, shard: number): Promise<Head | undefined> {
  return (await database.run<Head>(HEADS, [])).find((head) => head.shard === shard)
}

async function* readChain(database: Database, shard: number): AsyncGenerator<KeyEvent> {
  let last = sequenceOf(shard, 0)
  for (;;) {
    const events = await database.run<KeyEvent>(CHAIN, [shard, last])
    yield* events
    if (events.length < BATCH) return
    last = events.at(-1)?.sequence ?? last
  }
}

function isAsAnchored(anchored: Map<number, string>, { sequence, hash }: KeyEvent): boolean {
  const recorded = anchored.get(sequence)
  return recorded === undefined || recorded === hash.toString('hex')
}

/** Whether an anchor has recorded more events of a chain than it has now. */
function wasLonger(anchored: Map<number, string>, shard: number, count: number): boolean {
  return [...anchored.keys()].some(
    (sequence) => (sequence - 1) % SHARDS === shard && sequence > sequenceOf(shard, count)
  )
}

function noteAnchor({ detail }: KeyEvent, anchored: Map<number, string>): void {
  for (const entry of detail?.split(' ') ?? []) {
    const [shard, count, hash] = entry.split(':')
    if (Number(count) > 0 && hash) anchored.set(sequenceOf(Number(shard), Number(count)), hash)
  }
}

/** Sequence of the nth event of a chain; of the place before the first for n = 0. */
function sequenceOf(shard: number, n: number): number {
  return (n - 1) * SHARDS + shard + 1
}

/** SHA-256 over the hash before and the fields, each preceded by its length as a 32-bit number, or -1 for null. */
function hashOf(previous: Buffer, event: KeyEvent): Buffer {
  const hash = createHash('sha256').update(previous)
  const { sequence, at, actor, action, conversationId, keyVersion, detail } = event
  for (const value of [
    String(sequence),
    at.toISOString(),
    actor,
    action,
    conversationId,
    keyVersion?.toString() ?? null,
    detail
  ]) {
    const length = Buffer.alloc(4)
    length.writeInt32BE(value === null ? -1 : Buffer.byteLength(value))
    hash.update(length).update(value ?? '')
  }
  return hash.digest()
}
