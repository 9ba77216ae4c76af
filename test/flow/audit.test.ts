import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  ConversationKeysDocument,
  DeleteConversationDocument,
  DueRotationsDocument,
  type KeyEventFilter,
  KeyEventsDocument,
  type KeyEventsQuery,
  KeyHealthDocument,
  KeyInventoryDocument,
  KeyOperationsDocument,
  RotateDueKeysDocument,
  RotateKeyDocument,
  VerifyKeyEventsDocument
} from '../../documents/generated.js'
import { closeRefusalWindows, RECORDED_MAX, WINDOW_MS } from '../../src/conversation-key/record-refusal.js'
import { anchorKeyEvents } from '../../src/conversation-key/verify-key-events.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'

const DAY_MS = 24 * 60 * 60 * 1000

let conclave: TestConclave
let alice: GraphQLClient
let auditor: GraphQLClient
let id: string

beforeAll(async () => {
  conclave = await bootConclave()
  await conclave.workerServices.keySupply.refill(5)
  alice = await conclave.as('alice')
  auditor = await conclave.as('auditor', { scopes: ['keys:read'] })
})
afterAll(() => conclave.close())

describe('the audit trail and the inventories', () => {
  it('are closed to tokens without keys:read', async () => {
    const attempts = [
      await alice.execute(KeyHealthDocument, {}),
      await alice.execute(DueRotationsDocument, {}),
      await alice.execute(VerifyKeyEventsDocument, {}),
      await alice.execute(KeyEventsDocument, {}),
      await alice.execute(KeyInventoryDocument, {}),
      await alice.execute(KeyOperationsDocument, {})
    ]
    for (const { errors } of attempts) expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
    expect(await refusalsOf('alice')).toEqual(
      ['keyHealth', 'dueRotations', 'verifyKeyEvents', 'keyEvents', 'keyInventory', 'keyOperations'].map(
        (operation) => `operation=${operation} code=FORBIDDEN`
      )
    )
  })

  it('record the refusals of one who tries all the time as a number', async () => {
    const mallory = await conclave.as('mallory')
    for (let attempt = 0; attempt < RECORDED_MAX + 5; attempt++) await mallory.execute(KeyHealthDocument, {})
    expect(await refusalsOf('mallory')).toHaveLength(RECORDED_MAX)
    const began = conclave.clock.now().toISOString()
    conclave.clock.advance(WINDOW_MS)
    await closeRefusalWindows({ database: conclave.workerServices.database, now: conclave.clock.now() })
    expect((await refusalsOf('mallory')).at(-1)).toBe(`operation=keyHealth unrecorded=5 since=${began}`)
    await mallory.execute(KeyHealthDocument, {})
    expect((await refusalsOf('mallory')).at(-1)).toBe('operation=keyHealth code=FORBIDDEN')
  })

  it('let an auditor read and not act', async () => {
    expect((await auditor.execute(RotateDueKeysDocument, {})).errors).toMatchObject([
      { extensions: { code: 'FORBIDDEN' } }
    ])
  })
})

describe('the audit trail', () => {
  beforeEach(async () => {
    id = await createConversation(alice, ['bob'])
    for (let rotation = 0; rotation < 3; rotation++) await alice.run(RotateKeyDocument, { conversationId: id })
  })

  it('has who did what to which key, refused attempts included', async () => {
    await (await conclave.as('bob')).execute(RotateKeyDocument, { conversationId: id })
    await (await conclave.as('mallory')).execute(RotateKeyDocument, { conversationId: id })
    const { keyEvents } = await auditor.run(KeyEventsDocument, { conversationId: id, first: 50 })
    expect(keyEvents.totalCount).toBe(9)
    expect(keyEvents.nodes.map(({ actor, action, keyVersion }) => [actor, action, keyVersion]).slice(-4)).toEqual([
      ['alice', 'key.deactivated', 3],
      ['alice', 'key.activated', 4],
      ['bob', 'operation.refused', null],
      ['mallory', 'operation.refused', null]
    ])
    expect(keyEvents.nodes.at(-1)?.detail).toBe('operation=rotateKey code=NOT_FOUND')
  })

  it('has the policy that a conversation was created with', async () => {
    const created = await createConversation(alice, [], { keyPolicy: { rotateAfter: null } })
    const { keyEvents } = await auditor.run(KeyEventsDocument, { conversationId: created, first: 50 })
    expect(keyEvents.nodes.map(({ action, detail }) => [action, detail?.split(' ')[0]])).toEqual([
      ['key.activated', 'reason=CREATED'],
      ['key.policy-set', 'rotateAfter=never']
    ])
  })

  it('is read page by page, each event once', async () => {
    const seen: number[] = []
    let after: string | null = null
    do {
      const { keyEvents }: Awaited<ReturnType<typeof pageOfEvents>> = await pageOfEvents(after)
      seen.push(...keyEvents.nodes.map(({ sequence }) => sequence))
      after = keyEvents.pageInfo.hasNextPage ? (keyEvents.pageInfo.endCursor ?? null) : null
    } while (after)
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b))
    expect(seen).toHaveLength(7)
  })

  it('refuses to look for an action that there is not, and for nobody', async () => {
    for (const [filter, field, message] of [
      [{ action: 'key.exploded' }, 'filter.action', /no such action\. Known are: key\.activated, /],
      [{ action: '' }, 'filter.action', /no such action/],
      [{ actor: '' }, 'filter.actor', /a user id, "scheduler"/],
      [{ actor: 'a\u0000b' }, 'filter.actor', /a user id/]
    ] as const) {
      const { errors } = await auditor.execute(KeyEventsDocument, { filter })
      expect(errors).toMatchObject([
        { message: expect.stringMatching(message), extensions: { code: 'BAD_USER_INPUT', field } }
      ])
    }
  })

  it('is looked through for an action, for who acted, and for both, in one conversation and in all', async () => {
    const [other, actor] = [await createConversation(alice, []), 'eve']
    for (const conversationId of [id, other])
      await (await conclave.as(actor)).execute(RotateKeyDocument, { conversationId })
    await alice.run(RotateKeyDocument, { conversationId: other })
    const found = async (conversationId: string | null, filter: KeyEventFilter) => {
      const { keyEvents } = await auditor.run(KeyEventsDocument, { conversationId, first: 200, filter })
      expect(keyEvents.totalCount).toBe(keyEvents.nodes.length)
      return keyEvents.nodes.map((event) => `${event.actor} ${event.action} ${event.keyVersion}`)
    }
    expect(await found(id, { action: 'key.deactivated' })).toEqual(
      [1, 2, 3].map((version) => `alice key.deactivated ${version}`)
    )
    expect(await found(id, { actor })).toEqual(['eve operation.refused null'])
    expect(await found(other, { actor: 'alice', action: 'key.deactivated' })).toEqual(['alice key.deactivated 1'])
    expect(await found(other, { actor, action: 'key.deactivated' })).toEqual([])
    expect(await found(null, { actor })).toEqual(Array(2).fill('eve operation.refused null'))
    expect(await found(null, { actor, action: 'operation.refused' })).toHaveLength(2)
    const all = await conclave.database.query<{ sequence: number }>(
      `select sequence from key_events where action = 'key.deactivated'`
    )
    expect(await found(null, { action: 'key.deactivated' })).toHaveLength(all.length)
  })

  it.each(['one', 'all'])('goes on behind a cursor beside the filter, and beside another one, in %s', async (where) => {
    const conversationId = where === 'one' ? id : null
    const pagesOf = async (filter: KeyEventFilter | null, after: string | null = null) => {
      const seen: KeyEventsQuery['keyEvents']['nodes'] = []
      for (;;) {
        const variables = { conversationId, first: 2, after, filter }
        const { keyEvents }: KeyEventsQuery = await auditor.run(KeyEventsDocument, variables)
        seen.push(...keyEvents.nodes)
        if (!keyEvents.pageInfo.hasNextPage) return seen.map(({ sequence }) => sequence)
        after = keyEvents.pageInfo.endCursor
      }
    }
    const filter = { action: 'key.deactivated' }
    const { keyEvents } = await auditor.run(KeyEventsDocument, { conversationId, first: 200 })
    const wanted = keyEvents.nodes.filter(({ action }) => action === filter.action).map(({ sequence }) => sequence)
    expect(wanted.length).toBeGreaterThan(2)
    expect(await pagesOf(filter)).toEqual(wanted)
    const first = await auditor.run(KeyEventsDocument, { conversationId, first: 5 })
    const before = first.keyEvents.nodes.map(({ sequence }) => sequence)
    const rest = await pagesOf(filter, first.keyEvents.pageInfo.endCursor)
    expect(rest).toEqual(wanted.filter((sequence) => !before.includes(sequence)))
  })

  it('of all conversations misses no event of a chain that lags behind the page', async () => {
    const seen = new Set<number>()
    let after: string | null = null
    for (let page = 0; page < 3; page++) {
      const { keyEvents }: KeyEventsQuery = await auditor.run(KeyEventsDocument, { first: 4, after })
      for (const { sequence } of keyEvents.nodes) seen.add(sequence)
      after = keyEvents.pageInfo.endCursor
      // Of conversations in whatever chain: most of them have fewer events than the one that is being read.
      for (let made = 0; made < 4; made++) await createConversation(alice, [])
    }
    for (;;) {
      const { keyEvents }: KeyEventsQuery = await auditor.run(KeyEventsDocument, { first: 200, after })
      for (const { sequence } of keyEvents.nodes) {
        expect(seen).not.toContain(sequence)
        seen.add(sequence)
      }
      if (!keyEvents.pageInfo.hasNextPage) break
      after = keyEvents.pageInfo.endCursor
    }
    const stored = await conclave.database.query<{ sequence: number }>('select sequence::integer from key_events')
    expect([...seen].sort((a, b) => a - b)).toEqual(stored.map(({ sequence }) => sequence).sort((a, b) => a - b))
  })

  it('refuses to be changed, by anybody', async () => {
    for (const statement of ['update key_events set actor = actor', 'delete from key_events', 'truncate key_events']) {
      await expect(conclave.database.query(statement)).rejects.toThrow('append-only')
    }
  })

  it('verifies while it is what was written', async () => {
    const { verifyKeyEvents } = await auditor.run(VerifyKeyEventsDocument)
    const [count] = await conclave.database.query<{ events: number }>(
      'select count(*)::integer as events from key_events'
    )
    expect(verifyKeyEvents).toEqual({ valid: true, checked: count?.events, firstInvalidSequence: null })
  })

  it.each(['actor', 'action', 'detail'])(
    'names the first event whose %s was changed behind the back of the database',
    async (column) => {
      const sequence = await nthEvent(3)
      await behindTheBack(`update key_events set ${column} = 'forged' where sequence = ${sequence}`)
      await expectInvalidFrom(sequence)
    }
  )

  it('names an event that was removed, in the middle or at the end', async () => {
    for (const n of [3, 7]) {
      const sequence = await nthEvent(n)
      await behindTheBack(`delete from key_events where sequence = ${sequence}`)
      await expectInvalidFrom(sequence)
    }
  })

  it('finds a chain whose end and head were cut off together, once it was anchored', async () => {
    const { database } = conclave.workerServices
    const heads = await conclave.database.query<{ shard: number; count: string; hash: Buffer }>(
      'select shard, count, hash from key_event_heads where count > 0 order by shard'
    )
    const recorded = await anchorKeyEvents({ database, now: conclave.clock.now() })
    expect(recorded).toBe(heads.map(({ shard, count, hash }) => `${shard}:${count}:${hash.toString('hex')}`).join(' '))
    const sequence = await nthEvent(7)
    const cut = `
      delete from key_events where sequence = ${sequence};
      update key_event_heads h set count = h.count - 1,
             hash = (select e.hash from key_events e where e.shard = h.shard order by e.sequence desc limit 1)
       where h.shard = (${sequence} - 1) % 16`
    await behindTheBack(cut)
    await expectInvalidFrom(sequence)
  })
})

describe('counting the messages of keys', () => {
  it('does not look at messages', async () => {
    const counted = await bootConclave()
    const owner = await counted.as('alice')
    const reader = await counted.as('auditor', { scopes: ['keys:read'] })
    const conversationId = await createConversation(owner, [])
    for (const body of ['one', 'two']) await send(owner, conversationId, body)
    await counted.database.query('alter table messages rename to out_of_reach')
    const { conversationKeys } = await reader.run(ConversationKeysDocument, { conversationId })
    expect(conversationKeys).toMatchObject([{ messageCount: 2 }])
    await reader.run(KeyHealthDocument)
    await reader.run(KeyInventoryDocument, {})
    await counted.close()
  })
})

describe('key health', () => {
  it('counts what there is to do', async () => {
    const counted = await bootConclave()
    const owner = await counted.as('alice')
    const used = await createConversation(owner, [])
    await createConversation(owner, [])
    await send(owner, used, 'used')
    await counted.workerServices.keySupply.refill(2)
    counted.clock.advance(31 * DAY_MS)
    const reader = await counted.as('auditor', { scopes: ['keys:read'] })
    expect((await reader.run(KeyHealthDocument)).keyHealth).toEqual({
      activeKeys: 2,
      overdueRotations: 1,
      overdueDestructions: 0,
      compromisedKeys: 0,
      pooledKeys: 2,
      masterKeys: [{ uri: 'local:test', current: true, wrappedKeyCount: 4, safeToRetire: false, reachable: true }]
    })
    const overdue = await reader.run(KeyInventoryDocument, { filter: { overdue: true } })
    expect(overdue.keyInventory.nodes.map(({ conversationId }) => conversationId)).toEqual([used])
    const { conversationKeys } = await reader.run(ConversationKeysDocument, { conversationId: used })
    expect(conversationKeys).toMatchObject([{ version: 1, masterKey: 'local:test', messageCount: 1 }])
    await counted.close()
  })
})

describe('due rotations', () => {
  it('are counted by when they are: of keys that are used, of conversations that are there', async () => {
    const counted = await bootConclave()
    await counted.workerServices.keySupply.refill(7)
    const owner = await counted.as('alice')
    const made: string[] = []
    for (const rotateAfter of ['P2D', 'P2D', 'P10D', 'P31D', 'P32D', 'P2D']) {
      const conversationId = await createConversation(owner, [], { keyPolicy: { rotateAfter } })
      await send(owner, conversationId, 'used')
      made.push(conversationId)
    }
    await createConversation(owner, [], { keyPolicy: { rotateAfter: 'P2D' } })
    await owner.run(DeleteConversationDocument, { conversationId: made.at(-1) ?? '' })
    const countedNow = async () => {
      const reader = await counted.as('auditor', { scopes: ['keys:read'] })
      const { overdue, days, later } = (await reader.run(DueRotationsDocument)).dueRotations
      expect(days).toHaveLength(30)
      expect((await reader.run(KeyHealthDocument)).keyHealth.overdueRotations).toBe(overdue)
      return { overdue, days: days.flatMap((keys, day) => (keys > 0 ? [[day, keys]] : [])), later }
    }
    expect(await countedNow()).toEqual({
      overdue: 0,
      days: [
        [2, 2],
        [10, 1]
      ],
      later: 2
    })
    counted.clock.advance(2 * DAY_MS - 1)
    expect(await countedNow()).toEqual({
      overdue: 0,
      days: [
        [0, 2],
        [8, 1],
        [29, 1]
      ],
      later: 1
    })
    counted.clock.advance(1)
    expect(await countedNow()).toEqual({
      overdue: 2,
      days: [
        [8, 1],
        [29, 1]
      ],
      later: 1
    })
    await counted.close()
  })
})

async function refusalsOf(actor: string): Promise<string[]> {
  const rows = await conclave.database.query<{ detail: string }>(
    `select detail from key_events where actor = $1 and action = 'operation.refused' order by at, sequence`,
    [actor]
  )
  return rows.map(({ detail }) => detail)
}

/** Sequence of the nth event of the conversation. */
async function nthEvent(n: number): Promise<number> {
  const { keyEvents } = await auditor.run(KeyEventsDocument, { conversationId: id, first: 50 })
  return keyEvents.nodes[n - 1]?.sequence ?? 0
}

function pageOfEvents(after: string | null) {
  return auditor.run(KeyEventsDocument, { conversationId: id, first: 3, after })
}

/** Runs SQL as somebody who can switch the triggers off, and remembers how it was. */
async function behindTheBack(statement: string): Promise<void> {
  await conclave.database.query('create table kept as select * from key_events')
  await conclave.database.query('create table kept_heads as select * from key_event_heads')
  await conclave.database.query('alter table key_events disable trigger user')
  await conclave.database.query(statement)
}

/** Looks for the forgery, and puts everything back as it was for the next test. */
async function expectInvalidFrom(sequence: number): Promise<void> {
  const { verifyKeyEvents } = await auditor.run(VerifyKeyEventsDocument)
  await conclave.database.query('delete from key_events')
  await conclave.database.query('insert into key_events select * from kept')
  await conclave.database.query(
    'update key_event_heads h set count = k.count, hash = k.hash from kept_heads k where k.shard = h.shard'
  )
  await conclave.database.query('drop table kept, kept_heads')
  await conclave.database.query('alter table key_events enable trigger user')
  expect(verifyKeyEvents).toMatchObject({ valid: false, firstInvalidSequence: sequence })
  expect((await auditor.run(VerifyKeyEventsDocument)).verifyKeyEvents.valid).toBe(true)
}
