import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  CancelKeyOperationDocument,
  KeyHealthDocument,
  KeyOperationDocument,
  PauseKeyOperationDocument,
  ResumeKeyOperationDocument,
  RewrapPrivateKeysDocument,
  RotateKeyDocument,
  ScheduleKeyDestructionDocument
} from '../../documents/generated.js'
import { runOperation } from '../../jobs/key-operations.js'
import { verifyKeyEvents } from '../../src/conversation-key/verify-key-events.js'
import { rewrapPauseMs } from '../../src/key-life/rewrap-pace.js'
import { findKeysToRewrap, type KeysToRewrap } from '../../src/key-life/rewrap-position.js'
import { MasterKeyError } from '../../src/master-key/master-key-error.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { readBack } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { holdTransaction } from '../support/held-transaction.js'
import { fillPool, manyConversations } from '../support/many-conversations.js'
import { localMasterKeys } from '../support/master-key-config.js'
import { BRIEF, checkAsync } from '../support/properties.js'

const SOON = { timeout: 20_000 }
/** More than one step takes. */
const CONVERSATIONS = 230

let conclave: TestConclave
let alice: GraphQLClient
let admin: GraphQLClient
let ids: string[]

beforeEach(async () => {
  conclave = await bootConclave({}, localMasterKeys('a'))
  alice = await conclave.as('alice')
  admin = await conclave.as('admin', { scopes: ['keys:admin'] })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await conclave.close()
})

describe('rewrapping private keys', () => {
  it('is refused without keys:admin, and while a rewrap is under way', async () => {
    const auditor = await conclave.as('auditor', { scopes: ['keys:read'] })
    for (const client of [alice, auditor]) expect(await refusalOf(client)).toBe('FORBIDDEN')
    await queueRewrap()
    expect(await refusalOf(admin)).toBe('CONFLICT')
  })

  it('moves every key that there is to the current master key, and the one before can be retired', async () => {
    ids = await manyConversations(conclave, alice, CONVERSATIONS)
    const [first = '', second = ''] = ids
    await alice.run(RotateKeyDocument, { conversationId: first })
    await admin.run(ScheduleKeyDestructionDocument, { conversationId: first, version: 1, after: 'P7D' })
    await alice.run(RotateKeyDocument, { conversationId: second })
    await conclave.restart({}, localMasterKeys('b', ['a']))
    expect(await rewrap()).toMatchObject({ state: 'SUCCEEDED', done: CONVERSATIONS + 2, failed: 0 })
    expect(await census()).toEqual({ 'local:a': [0, true], 'local:b': [CONVERSATIONS + 2, false] })
    await conclave.restart({}, localMasterKeys('b'))
    await expectEverythingOpens(ids.slice(1))
    expect(await verifyKeyEvents(conclave.services)).toMatchObject({ valid: true })
    expect(await rewrappedEvents()).toBe(CONVERSATIONS + 2)
  })

  it('looks at every key once, wherever it is interrupted and however many it takes at a time', async () => {
    ids = await manyConversations(conclave, alice, 12)
    const target = { uri: 'local:a', version: '2' }
    const place = fc.tuple(fc.constantFrom('local:a', 'local:b', 'vault:c/d'), fc.constantFrom(null, '1', '2'))
    const places = fc.array(place, { minLength: ids.length, maxLength: ids.length })
    const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 })
    await checkAsync(
      fc.asyncProperty(places, sizes, async (lies, takes) => {
        const [uris, versions] = [lies.map(([uri]) => uri), lies.map(([, version]) => version)]
        await conclave.database.query(
          `update conversation_keys k set master_key = p.uri, master_key_version = p.version
             from unnest($1::uuid[], $2::text[], $3::text[]) as p (id, uri, version) where k.conversation_id = p.id`,
          [ids, uris, versions]
        )
        const looked: string[] = []
        let position: string | null = null
        for (let step = 0; ; step++) {
          const size = takes[step % takes.length] ?? 1
          const found: KeysToRewrap | null = await findKeysToRewrap(
            conclave.services.database.entities(),
            target,
            position,
            size
          )
          if (!found) break
          looked.push(...found.keys.map(({ conversationId }) => conversationId))
          position = found.positionBehind(size)
        }
        const due = ids.filter((_, index) => uris[index] !== target.uri || versions[index] !== target.version)
        expect(looked.sort()).toEqual(due.sort())
      }),
      50,
      BRIEF
    )
  })

  it('again finds nothing to do', async () => {
    ids = await manyConversations(conclave, alice, 3)
    await conclave.restart({}, localMasterKeys('b', ['a']))
    await rewrap()
    expect(await rewrap()).toMatchObject({ state: 'SUCCEEDED', total: 0, done: 0 })
  })

  it('as a dry run opens and wraps everything, and stores nothing', async () => {
    ids = await manyConversations(conclave, alice, 3)
    await conclave.restart({}, localMasterKeys('b', ['a']))
    const before = await storedKeys()
    await spoil(ids[1])
    expect(await rewrap({ dryRun: true })).toMatchObject({ state: 'FAILED', total: 3, done: 2, failed: 1 })
    expect(await storedKeys()).not.toEqual(before)
    await restore(ids[1], before)
    expect(await storedKeys()).toEqual(before)
    expect(await rewrappedEvents()).toBe(0)
  })

  it('sets a key aside that cannot be opened, counts it, names it, and goes on', async () => {
    ids = await manyConversations(conclave, alice, CONVERSATIONS)
    await conclave.restart({}, localMasterKeys('b', ['a']))
    const spoilt = ids[3]
    const before = await storedKeys()
    await spoil(spoilt)
    expect(await rewrap()).toMatchObject({ state: 'FAILED', done: CONVERSATIONS - 1, failed: 1 })
    expect(await census()).toMatchObject({ 'local:a': [1, false], 'local:b': [CONVERSATIONS - 1, false] })
    const named = await conclave.database.query(
      `select conversation_id as id, key_version as version from key_events where action = 'key.set-aside'`
    )
    expect(named).toEqual([{ id: spoilt, version: 1 }])
    await restore(spoilt, before)
    expect(await rewrap()).toMatchObject({ state: 'SUCCEEDED', total: 1, done: 1 })
    await expectEverythingOpens(ids)
  })

  it('passes over keys of a master key that this process does not have', async () => {
    ids = await manyConversations(conclave, alice, 3)
    await conclave.restart({}, localMasterKeys('b'))
    const operation = await rewrap()
    expect(operation).toMatchObject({ state: 'FAILED', done: 0, failed: 3 })
    expect(operation?.error).toContain('3 keys lie under local:a, which is not configured here')
    expect(await census()).toMatchObject({ 'local:a': [3, false] })
  })

  it('stores nothing of a master key that gives garbage back in the middle of a run, and ends there', async () => {
    ids = await manyConversations(conclave, alice, CONVERSATIONS)
    await conclave.restart({}, localMasterKeys('b', ['a']))
    const { current } = conclave.services.masterKeys
    const wrap = current.wrap.bind(current)
    let calls = 0
    vi.spyOn(current, 'wrap').mockImplementation(async (keys) => {
      const wrapped = await wrap(keys)
      if (++calls > 1) for (const { wrapped: bytes } of wrapped) bytes.fill(1, 40)
      return wrapped
    })
    const before = await storedKeys()
    const operation = await rewrap()
    expect(operation).toMatchObject({ state: 'FAILED', done: 200 })
    expect(operation?.error).toContain('does not give back')
    const after = await storedKeys()
    expect([...after].filter(([id, bytes]) => before.get(id) === bytes)).toHaveLength(CONVERSATIONS - 200)
    expect(await census()).toMatchObject({ 'local:a': [CONVERSATIONS - 200, false], 'local:b': [200, false] })
    await expectEverythingOpens(ids)
  })

  it.each([
    ['another key', (wrapped: Buffer[]) => wrapped.reverse()],
    ['damaged bytes', (wrapped: Buffer[]) => wrapped.map((bytes) => Buffer.from(bytes).fill(1, 40))]
  ])('stores nothing where the key service itself has moved %s into place', async (_, spoilt) => {
    ids = await manyConversations(conclave, alice, 2)
    await conclave.restart({}, localMasterKeys('b', ['a']))
    const { current } = conclave.services.masterKeys
    const from = conclave.services.masterKeys.get('local:a')
    // As a service does that has both keys.
    vi.spyOn(current, 'rewrapFrom').mockResolvedValue(async (keys) => {
      const opened = (await from.unwrap(keys)) as Buffer[]
      const swapped = keys.map(({ context }, index) => ({ privateKey: opened[index] ?? Buffer.alloc(0), context }))
      const wrapped = spoilt((await current.wrap(swapped)).map((wrapping) => wrapping.wrapped))
      return wrapped.map((bytes) => ({ wrapped: bytes, version: null }))
    })
    const before = await storedKeys()
    expect(await rewrap()).toMatchObject({ state: 'FAILED', done: 0 })
    expect(await storedKeys()).toEqual(before)
  })

  it('waits for a master key that is out of reach, says so, and goes on by itself', async () => {
    ids = await manyConversations(conclave, alice, 3)
    await conclave.restart({}, localMasterKeys('b', ['a']))
    const id = await queueRewrap()
    const { current } = conclave.services.masterKeys
    const outage = vi
      .spyOn(current, 'wrap')
      .mockRejectedValue(new MasterKeyError('UNREACHABLE', current.uri, 'no answer'))
    await run(id)
    const held = await operationOf(id)
    expect(held).toMatchObject({ state: 'RUNNING', done: 0, failed: 0 })
    expect(held?.error).toContain('local:b cannot be used now')
    outage.mockRestore()
    await run(id)
    expect(await operationOf(id)).toMatchObject({ state: 'SUCCEEDED', done: 3, error: null })
  })

  it('leaves a key alone that was destroyed, or changed in any way, while it was being moved', async () => {
    ids = await manyConversations(conclave, alice, 2)
    await conclave.restart({}, localMasterKeys('b', ['a']))
    const { current } = conclave.services.masterKeys
    const wrap = current.wrap.bind(current)
    vi.spyOn(current, 'wrap').mockImplementation(async (keys) => {
      await conclave.database.query(
        `update conversation_keys set wrapped_private_key = wrapped_private_key || '\\x00' where conversation_id = $1`,
        [ids[0]]
      )
      return await wrap(keys)
    })
    const id = await queueRewrap()
    const running = run(id)
    await untilDone(id, 1)
    expect(await operationOf(id)).toMatchObject({ state: 'RUNNING', done: 1, failed: 0 })
    expect(await census()).toMatchObject({ 'local:a': [1, false], 'local:b': [1, false] })
    await admin.run(CancelKeyOperationDocument, { id })
    conclave.clock.advance(1000)
    await running
  })
})

describe('a key that somebody else has locked while it should be moved', () => {
  it('is moved in another round, and the ones that were set aside are not counted twice', async () => {
    ids = await manyConversations(conclave, alice, 4)
    await conclave.restart({}, localMasterKeys('b', ['a']))
    await spoil(ids[0])
    const held = await holdTransaction(conclave.database)
    await held.query('select from conversation_keys where conversation_id = $1 for update', [ids[1]])
    const id = await queueRewrap()
    const running = run(id)
    await untilDone(id, 2)
    await held.commit()
    await vi.waitFor(async () => {
      conclave.clock.advance(1000)
      expect((await operationOf(id))?.finishedAt).toBeTruthy()
    }, SOON)
    await running
    expect(await operationOf(id)).toMatchObject({ state: 'FAILED', total: 4, done: 3, failed: 1 })
    expect(await census()).toMatchObject({ 'local:a': [1, false], 'local:b': [3, false] })
  })
})

describe('a key that comes under the old master key while the others are moved', () => {
  it('is moved as well: none is left when it says that it has succeeded', async () => {
    ids = await manyConversations(conclave, alice, 2)
    // With the configuration from before.
    const older = await bootConclave({ databaseUrl: conclave.database.url }, localMasterKeys('a'))
    await conclave.restart({}, localMasterKeys('b', ['a']))
    const { current } = conclave.services.masterKeys
    const wrap = current.wrap.bind(current)
    vi.spyOn(current, 'wrap').mockImplementationOnce(async (keys) => {
      await (await older.as('alice')).run(RotateKeyDocument, { conversationId: ids[0] ?? '' })
      return await wrap(keys)
    })
    const id = await queueRewrap()
    const running = run(id)
    await vi.waitFor(async () => {
      conclave.clock.advance(1000)
      expect((await operationOf(id))?.finishedAt).toBeTruthy()
    }, SOON)
    await running
    expect(await operationOf(id)).toMatchObject({ state: 'SUCCEEDED', done: 3 })
    expect(await census()).toMatchObject({ 'local:a': [0, true] })
    await older.close()
  })
})

describe('a process whose secret is not the one that its name stood for', () => {
  it('does not start, and says so; one damaged key does not keep it from starting', async () => {
    ids = await manyConversations(conclave, alice, 2)
    await spoil(ids[0])
    const other = { ...localMasterKeys('a'), MASTER_SECRETS: `a=${Buffer.alloc(32, 'other').toString('base64')}` }
    await expect(bootConclave({ databaseUrl: conclave.database.url }, other)).rejects.toThrow(
      'local:a is not the key that the private keys under this name were wrapped with'
    )
    await conclave.restart({}, localMasterKeys('a'))
  })
})

describe('the pool', () => {
  it('holds no pair under another master key any more', async () => {
    await fillPool(conclave, 2)
    await conclave.restart({}, localMasterKeys('b', ['a']))
    await rewrap()
    expect(await census()).toMatchObject({ 'local:a': [0, true] })
  })
})

describe('an operation whose step takes long', () => {
  it('can be controlled a moment later, and keeps nobody waiting', async () => {
    const id = await queueRewrap()
    const held = await holdTransaction(conclave.database)
    await held.query('select from key_operations where id = $1 for update', [id])
    const { errors } = await admin.execute(PauseKeyOperationDocument, { id })
    expect(errors).toMatchObject([{ extensions: { code: 'CONFLICT' }, message: expect.stringContaining('Try again') }])
    await held.commit()
  })
})

describe('a rewrap under way', () => {
  it('can be paused, resumed and cancelled; what it has moved stays moved', async () => {
    ids = await manyConversations(conclave, alice, 3)
    await conclave.restart({ rewrapPerSecond: 1 }, localMasterKeys('b', ['a']))
    const id = await queueRewrap()
    const running = run(id)
    await untilDone(id, 1)
    const { pauseKeyOperation } = await admin.run(PauseKeyOperationDocument, { id })
    expect(pauseKeyOperation.operation.pausedAt).not.toBeNull()
    conclave.clock.advance(10_000)
    await running
    await run(id)
    expect(await operationOf(id)).toMatchObject({ state: 'RUNNING', done: 1 })
    expect((await admin.run(ResumeKeyOperationDocument, { id })).resumeKeyOperation.operation.pausedAt).toBeNull()
    const resumed = run(id)
    await untilDone(id, 2)
    await admin.run(CancelKeyOperationDocument, { id })
    conclave.clock.advance(10_000)
    await resumed
    expect(await operationOf(id)).toMatchObject({ state: 'CANCELLED', done: 2 })
    expect(await census()).toMatchObject({ 'local:a': [1, false], 'local:b': [2, false] })
  })

  it('takes no more keys in a second than it may, however many workers there are', async () => {
    ids = await manyConversations(conclave, alice, 6)
    await conclave.restart({ rewrapPerSecond: 2 }, localMasterKeys('b', ['a']))
    const id = await queueRewrap()
    const workers = Promise.all([run(id), run(id)])
    for (const done of [2, 4, 6]) {
      await untilDone(id, done)
      conclave.clock.advance(1000)
    }
    await workers
    expect(await operationOf(id)).toMatchObject({ state: 'SUCCEEDED', done: 6 })
  })

  it('rests the longer the slower sends are', async () => {
    ids = await manyConversations(conclave, alice, CONVERSATIONS)
    await conclave.restart({}, localMasterKeys('b', ['a']))
    const paused = async (nowUs: number) => {
      await conclave.database.query('delete from send_paces')
      await conclave.database.query('insert into send_paces values (gen_random_uuid(), $1, $2, 1000)', [
        conclave.clock.now(),
        nowUs
      ])
      return await rewrapPauseMs(conclave.services, 100)
    }
    expect(await paused(1000)).toBe(0)
    expect(await paused(2000)).toBe(400)
    expect(await paused(4000)).toBe(1200)
    expect(await paused(1_000_000)).toBe(5000)
    conclave.clock.advance(60_000)
    expect(await rewrapPauseMs(conclave.services, 100)).toBe(0)
    await paused(4000)
    const id = await queueRewrap()
    const running = run(id)
    await untilDone(id, 200)
    const [row] = await conclave.database.query<{ next_step_at: Date }>('select next_step_at from key_operations')
    expect(row?.next_step_at.getTime()).toBeGreaterThan(conclave.clock.now().getTime())
    await admin.run(CancelKeyOperationDocument, { id })
    conclave.clock.advance(60_000)
    await running
  })

  it('is told how long sends take', async () => {
    ids = await manyConversations(conclave, alice, 1)
    await conclave.services.sendPace.report()
    const [pace] = await conclave.database.query<{ now_us: number; usual_us: number }>('select * from send_paces')
    expect(pace?.now_us).toBeGreaterThan(0)
    expect(pace?.usual_us).toBeLessThanOrEqual(pace?.now_us ?? 0)
  })
})

async function refusalOf(client: GraphQLClient): Promise<string | undefined> {
  return (await client.execute(RewrapPrivateKeysDocument, {})).errors?.[0]?.extensions.code
}

async function queueRewrap(options: { dryRun?: boolean } = {}): Promise<string> {
  return (await admin.run(RewrapPrivateKeysDocument, options)).rewrapPrivateKeys.operation.id
}

async function run(id: string): Promise<void> {
  await runOperation(conclave.workerServices, id, new AbortController().signal)
}

async function rewrap(options: { dryRun?: boolean } = {}) {
  const id = await queueRewrap(options)
  await run(id)
  return await operationOf(id)
}

async function operationOf(id: string) {
  return (await admin.run(KeyOperationDocument, { id })).keyOperation
}

async function untilDone(id: string, done: number): Promise<void> {
  await vi.waitFor(async () => expect((await operationOf(id))?.done).toBe(done), { ...SOON, interval: 20 })
}

/** How many keys each master key holds, and whether it can be retired. */
async function census(): Promise<Record<string, [number, boolean]>> {
  const { keyHealth } = await admin.run(KeyHealthDocument)
  return Object.fromEntries(
    keyHealth.masterKeys.map(({ uri, wrappedKeyCount, safeToRetire }) => [uri, [wrappedKeyCount, safeToRetire]])
  )
}

async function storedKeys(): Promise<Map<string, string>> {
  const rows = await conclave.database.query<{ id: string; bytes: string }>(
    `select conversation_id as id, encode(wrapped_private_key, 'hex') as bytes from conversation_keys`
  )
  return new Map(rows.map(({ id, bytes }) => [id, bytes]))
}

async function spoil(id = ''): Promise<void> {
  await conclave.database.query(
    'update conversation_keys set wrapped_private_key = substr(wrapped_private_key, 1, 100) where conversation_id = $1',
    [id]
  )
}

async function restore(id = '', from: Map<string, string>): Promise<void> {
  await conclave.database.query(
    `update conversation_keys set wrapped_private_key = decode($2, 'hex') where conversation_id = $1`,
    [id, from.get(id)]
  )
}

async function expectEverythingOpens(conversations: string[]): Promise<void> {
  conclave.services.keyring.forgetAll()
  for (const id of conversations) {
    expect((await readBack(alice, id)).map(({ body }) => body)).toEqual([`sent in ${id}`])
  }
}

async function rewrappedEvents(): Promise<number> {
  return (await conclave.database.query(`select from key_events where action = 'key.rewrapped'`)).length
}
