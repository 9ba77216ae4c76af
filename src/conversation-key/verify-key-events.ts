import { createHash } from 'node:crypto'
import type { Database, Statement } from '../database/database.js'
import { KEY_EVENT_COLUMNS, type KeyEvent, SHARDS, sequenceOf, shardOf } from './key-events.js'

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

const BATCH = 1000

const HEADS: Statement = {
  name: 'key-event-heads',
  text: 'select shard, count::float8 as count, hash from key_event_heads order by shard'
}

const CHAIN: Statement = {
  name: 'key-event-chain',
  text: `select ${KEY_EVENT_COLUMNS} from key_events where shard = $1 and key_events.sequence > $2 order by key_events.sequence limit ${BATCH}`
}

interface Head {
  shard: number
  count: number
  hash: Buffer
}

const ANCHOR: Statement = { text: 'select anchor_key_events($1) as heads' }

/**
 * Writes down the heads of all chains, in the one that events without a conversation are in.
 *
 * @returns what was written; null when there is nothing to record yet
 */
export async function anchorKeyEvents({ database, now }: { database: Database; now: Date }): Promise<string | null> {
  const [row] = await database.run<{ heads: string | null }>(ANCHOR, [now])
  return row?.heads ?? null
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
    hash = keyEventHash(hash, event)
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
  return [...anchored.keys()].some((sequence) => shardOf(sequence) === shard && sequence > sequenceOf(shard, count))
}

function noteAnchor({ detail }: KeyEvent, anchored: Map<number, string>): void {
  for (const entry of detail?.split(' ') ?? []) {
    const [shard, count, hash] = entry.split(':')
    if (Number(count) > 0 && hash) anchored.set(sequenceOf(Number(shard), Number(count)), hash)
  }
}

/** SHA-256 over the hash before and the fields, each preceded by its length as a 32-bit number, or -1 for null. */
export function keyEventHash(previous: Buffer, event: Omit<KeyEvent, 'hash'>): Buffer {
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
