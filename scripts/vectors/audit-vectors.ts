import { keyEventHash } from '../../src/conversation-key/verify-key-events.js'
import type { KeyEventRow, KeyEventsVector } from './vector-files.js'

const SHARDS = 16
/** Their last bytes end in 3 and in f. */
const FIRST = '019a2f4e-7b10-7c3d-8e5f-0a1b2c3d4e53'
const SECOND = '019a2f4e-7b10-7c3d-8e5f-0a1b2c3d4e5f'

type Draft = Omit<KeyEventRow, 'sequence' | 'hash'>

const rotated = (conversationId: string, minute: number, version: number): Draft[] => [
  event(minute, 'alice', 'key.deactivated', conversationId, version, 'reason=REQUESTED'),
  event(minute, 'alice', 'key.activated', conversationId, version + 1, `reason=REQUESTED keyId=${FIRST}`)
]

/** What was done, in the order of time. */
const DONE: Draft[] = [
  event(0, 'alice', 'key.activated', FIRST, 1, `reason=CREATED keyId=${FIRST}`),
  event(1, 'zoë ✓', 'key.activated', SECOND, 1, `reason=CREATED keyId=${SECOND}`),
  ...rotated(FIRST, 2, 1),
  event(3, 'bob', 'operation.refused', FIRST, null, 'operation=rotateKey code=FORBIDDEN'),
  event(4, 'scheduler', 'key.destruction-scheduled', FIRST, 1, ''),
  event(5, 'admin', 'key.policy-set', SECOND, null, null)
]

export function keyEventsVectors(): KeyEventsVector[] {
  const chains = chained(DONE)
  const anchor = event(6, 'scheduler', 'audit.anchored', null, null, anchorOf(chains.heads))
  const anchored = chained([...DONE, anchor])
  return [
    { name: 'two chains', result: 'valid', ...chains, firstInvalidSequence: null },
    { name: 'with an anchor', result: 'valid', ...anchored, firstInvalidSequence: null },
    { name: 'no event at all', result: 'valid', events: [], heads: [], firstInvalidSequence: null },
    ...changedFields(chains),
    ...changedChains(chains),
    forgedAfterAnchor(anchored)
  ]
}

type Chains = Pick<KeyEventsVector, 'events' | 'heads'>

function changedFields(chains: Chains): KeyEventsVector[] {
  const changes: [string, Partial<KeyEventRow>][] = [
    ['another time', { at: '2026-11-01T09:03:00.001Z' }],
    ['another actor', { actor: 'mallory' }],
    ['another action', { action: 'operation.started' }],
    ['another conversation', { conversationId: SECOND }],
    ['no conversation', { conversationId: null }],
    ['a version where there was none', { keyVersion: 1 }],
    ['an empty detail', { detail: '' }],
    ['no detail', { detail: null }],
    ['another hash', { hash: '00'.repeat(32) }]
  ]
  return changes.map(([name, change]) => {
    const events = chains.events.map((row) => (row.action === 'operation.refused' ? { ...row, ...change } : row))
    return broken(name, { ...chains, events }, sequenceOf(3, 4))
  })
}

function changedChains(chains: Chains): KeyEventsVector[] {
  const without = (sequence: number) => chains.events.filter((row) => row.sequence !== sequence)
  const last = sequenceOf(3, 5)
  const shorter = chains.heads.map((head) => {
    if (head.shard !== 3) return head
    return { ...head, count: 4, hash: chains.events.find((row) => row.sequence === sequenceOf(3, 4))?.hash ?? '' }
  })
  return [
    broken('an event in the middle removed', { ...chains, events: without(sequenceOf(3, 2)) }, sequenceOf(3, 2)),
    broken('the last event removed', { ...chains, events: without(last) }, last),
    broken('an event that the head does not count', { ...chains, heads: shorter }, last)
  ]
}

/** All hashes of a chain computed anew, with its head: what an anchor has recorded of it tells. */
function forgedAfterAnchor({ events }: Chains): KeyEventsVector {
  const drafts = events.map(({ sequence: _, hash: __, ...draft }) => {
    return draft.action === 'operation.refused' ? { ...draft, actor: 'mallory' } : draft
  })
  const last = sequenceOf(3, 5)
  return broken('a chain computed anew behind an anchor', chained(drafts), last)
}

function broken(name: string, chains: Chains, firstInvalidSequence: number): KeyEventsVector {
  return { name, result: 'invalid', ...chains, firstInvalidSequence }
}

/** Appends each to its chain, as append_key_events does. */
function chained(drafts: readonly Draft[]): Chains {
  const heads = new Map<number, { count: number; hash: Buffer }>()
  const events = drafts.map((draft): KeyEventRow => {
    const shard = draft.conversationId === null ? 0 : Number.parseInt(draft.conversationId.slice(-2), 16) % SHARDS
    const { count, hash } = heads.get(shard) ?? { count: 0, hash: Buffer.alloc(32) }
    const sequence = sequenceOf(shard, count + 1)
    const next = keyEventHash(hash, { ...draft, sequence, at: new Date(draft.at) })
    heads.set(shard, { count: count + 1, hash: next })
    return { sequence, ...draft, hash: next.toString('hex') }
  })
  const rows = [...heads].map(([shard, { count, hash }]) => ({ shard, count, hash: hash.toString('hex') }))
  return {
    events: events.sort((a, b) => a.sequence - b.sequence),
    heads: rows.sort((a, b) => a.shard - b.shard)
  }
}

function anchorOf(heads: KeyEventsVector['heads']): string {
  return heads.map(({ shard, count, hash }) => `${shard}:${count}:${hash}`).join(' ')
}

function sequenceOf(shard: number, n: number): number {
  return (n - 1) * SHARDS + shard + 1
}

function event(
  minute: number,
  actor: string,
  action: string,
  conversationId: string | null,
  keyVersion: number | null,
  detail: string | null
): Draft {
  const at = new Date(Date.UTC(2026, 10, 1, 9, minute)).toISOString()
  return { at, actor, action, conversationId, keyVersion, detail }
}
