import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { KeysDocument, RotateKeyDocument, SetMemberRoleDocument } from '../../documents/generated.js'
import { rotateDueBatch } from '../../jobs/rotate-due.js'
import {
  type DueRotation,
  findDueRotations,
  rotateIfDue,
  rotateOrPostpone
} from '../../src/conversation-key/rotate-due.js'
import { MasterKeyError } from '../../src/master-key/master-key-error.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { holdConversation, untilWaiting } from '../support/held-transaction.js'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

let conclave: TestConclave
let alice: GraphQLClient
let id: string

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
})
afterAll(() => conclave.close())
beforeEach(async () => {
  await conclave.database.query('update conversations set key_used = false')
  id = await usedConversation()
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('a key', () => {
  it('is not rotated before it is due, and is at that moment', async () => {
    await dueAt(1)
    expect(await rotateIfDue(conclave.workerServices, id, 'WAIT')).toBe(false)
    await dueAt(0)
    expect(await rotateIfDue(conclave.workerServices, id, 'WAIT')).toBe(true)
    expect(await keysOf(id)).toEqual([
      [1, 'DEACTIVATED', 'CREATED'],
      [2, 'ACTIVE', 'SCHEDULED']
    ])
  })

  it.each(['key_used = false', 'key_rotates_at = null', 'deleted_at = now()'])(
    'is not rotated where %s, however long overdue it would be',
    async (column) => {
      await dueAt(-MINUTE_MS)
      await conclave.database.query(`update conversations set ${column} where id = $1`, [id])
      expect(await rotateIfDue(conclave.workerServices, id, 'WAIT')).toBe(false)
      const found = await findDueRotations({ database: conclave.workerServices.database, now: now() }, 10, null)
      expect(found).toEqual([])
    }
  )

  it.each([
    [1, 'MESSAGE_LIMIT'],
    [2, 'SCHEDULED']
  ])('that is due with one message of %i is rotated because of %s', async (limit, reason) => {
    await dueAt(0)
    await conclave.database.query('update conversations set key_message_limit = $2 where id = $1', [id, limit])
    await rotateIfDue(conclave.workerServices, id, 'WAIT')
    expect((await keysOf(id))[1]).toEqual([2, 'ACTIVE', reason])
    expect(await eventsOf(id)).toEqual([
      ['scheduler', 'key.deactivated', 1, `reason=${reason}`],
      ['scheduler', 'key.activated', 2, expect.stringMatching(`^reason=${reason} keyId=[0-9a-f-]{36}$`)]
    ])
  })

  it('that somebody else has at the moment is passed over by a worker, and waited for by a send', async () => {
    await dueAt(0)
    const held = await holdConversation(conclave.database, id)
    expect(await rotateIfDue(conclave.workerServices, id, 'SKIP')).toBe(false)
    const waiting = rotateIfDue(conclave.workerServices, id, 'WAIT')
    await untilWaiting(conclave.database, 1)
    await held.commit()
    expect(await waiting).toBe(true)
  })

  it('that is rotated leaves those of other conversations alone', async () => {
    const other = await usedConversation()
    const before = await rowOf(other)
    await dueAt(0)
    await rotateIfDue(conclave.workerServices, id, 'WAIT')
    expect(await rowOf(other)).toEqual(before)
    expect(await keysOf(other)).toEqual([[1, 'ACTIVE', 'CREATED']])
  })

  it('that never becomes due, or is kept for a time, follows its policy when it is rotated', async () => {
    const keyPolicy = { rotateAfter: null, destroyAfter: 'P90D' }
    const kept = await createConversation(alice, [], { keyPolicy })
    await alice.run(RotateKeyDocument, { conversationId: kept })
    const times = await conclave.database.query(
      'select rotates_at, destroys_at from conversation_keys where conversation_id = $1 order by version',
      [kept]
    )
    expect(times).toEqual([
      { rotates_at: null, destroys_at: new Date(now().getTime() + 90 * DAY_MS) },
      { rotates_at: null, destroys_at: null }
    ])
    expect(await rotatesAtOf(kept)).toBeNull()
  })

  it('that was rotated leaves behind it a conversation without a data key, and what was sent counted', async () => {
    await dueAt(0)
    await rotateIfDue(conclave.workerServices, id, 'WAIT')
    const [row] = await conclave.database.query(
      `select key_used, key_messages, key_message_limit, data_key_id, data_key_uses, data_key_messages,
              data_key_expires_at, key_defaults_id, key_rotates_at
         from conversations where id = $1`,
      [id]
    )
    expect(row).toEqual({
      key_used: false,
      key_messages: 0,
      key_message_limit: null,
      data_key_id: null,
      data_key_uses: 0,
      data_key_messages: 0,
      data_key_expires_at: null,
      key_defaults_id: conclave.workerServices.keyDefaultsId,
      key_rotates_at: new Date(now().getTime() + 30 * DAY_MS)
    })
    const counted = await conclave.database.query(
      'select message_count as messages from data_keys where conversation_id = $1',
      [id]
    )
    expect(counted).toEqual([{ messages: 1 }])
  })
})

describe('due rotations', () => {
  it('are found those longest overdue first, page by page', async () => {
    const overdue = [id, await usedConversation(), await usedConversation()]
    for (const [index, each] of overdue.entries()) await dueAt(-index * MINUTE_MS, each)
    const found: (string | undefined)[] = []
    let after: DueRotation | null = null
    for (let page = 0; page < 4; page++) {
      const due: DueRotation[] = await findDueRotations(
        { database: conclave.workerServices.database, now: now() },
        1,
        after
      )
      found.push(due[0]?.id)
      after = due[0] ?? after
    }
    expect(found).toEqual([...overdue.reverse(), undefined])
  })
})

describe('a send that finds the key due, and no other to be had', () => {
  const outage = new MasterKeyError('UNREACHABLE', 'local:test', 'it is away')
  /** What happens while it is found out that the master key is away. */
  let meanwhile: () => Promise<unknown>
  let other: { id: string }

  beforeEach(async () => {
    meanwhile = async () => {}
    other = await rowOf(await usedConversation())
    await conclave.database.query('delete from pooled_keys')
    vi.spyOn(conclave.services.masterKeys.current, 'version').mockImplementation(async () => {
      await meanwhile()
      throw outage
    })
  })

  it('goes on under it for a minute, which is recorded, and no other does', async () => {
    await dueAt(0)
    expect((await send(alice, id, 'during the outage')).keyVersion).toBe(1)
    const until = new Date(now().getTime() + MINUTE_MS)
    expect(await rotatesAtOf(id)).toEqual(until)
    expect(await eventsOf(id)).toEqual([
      ['scheduler', 'key.rotation-postponed', 1, `reason=SCHEDULED until=${until.toISOString()}`]
    ])
    expect(await rowOf(other.id)).toEqual(other)
  })

  it('postpones nothing where somebody else has meanwhile', async () => {
    await dueAt(0)
    meanwhile = () => dueAt(30_000)
    await rotateOrPostpone(conclave.services, id)
    expect(await rotatesAtOf(id)).toEqual(new Date(now().getTime() + 30_000))
    expect(await eventsOf(id)).toEqual([])
  })

  it('does not take another failure for an outage', async () => {
    await dueAt(0)
    meanwhile = async () => {
      throw new TypeError('a mistake of ours')
    }
    await expect(rotateOrPostpone(conclave.services, id)).rejects.toThrow(TypeError)
    expect(await rotatesAtOf(id)).toEqual(now())
  })
})

describe('a batch of rotations', () => {
  it('takes what the pool has, and makes the rest', async () => {
    const { keySupply, metrics } = conclave.workerServices
    const others = [await usedConversation(), await usedConversation()]
    await conclave.database.query('delete from pooled_keys')
    await keySupply.refill(1)
    for (const due of [id, ...others]) await dueAt(0, due)
    const counted = vi.spyOn(metrics.keyUse.rsaGenerations, 'inc')
    const { rotated } = await rotateDueBatch(conclave.workerServices, null, new AbortController().signal)
    expect(rotated).toBe(3)
    expect(counted).toHaveBeenCalledTimes(2)
    expect(await keySupply.pooled()).toBe(0)
    for (const due of [id, ...others]) expect(await keysOf(due)).toHaveLength(2)
  })
})

describe('a rotation on request', () => {
  it('is refused to an owner who is none any more when it is made', async () => {
    const { keySupply } = conclave.services
    await alice.run(SetMemberRoleDocument, { conversationId: id, userId: 'bob', role: 'OWNER' })
    const withKeyPair = keySupply.withKeyPair.bind(keySupply)
    vi.spyOn(keySupply, 'withKeyPair').mockImplementation(async (work) => {
      await conclave.database.query(`update members set role = 'MEMBER' where conversation_id = $1`, [id])
      return await withKeyPair(work)
    })
    const { errors } = await alice.execute(RotateKeyDocument, { conversationId: id })
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
    expect(await keysOf(id)).toHaveLength(1)
    expect(await eventsOf(id)).toEqual([['alice', 'operation.refused', null, 'operation=rotateKey code=FORBIDDEN']])
  })

  it('is done where somebody else has rotated since it was asked for', async () => {
    const { keySupply } = conclave.services
    await dueAt(0)
    const withKeyPair = keySupply.withKeyPair.bind(keySupply)
    vi.spyOn(keySupply, 'withKeyPair').mockImplementation(async (work) => {
      await rotateIfDue(conclave.workerServices, id, 'WAIT')
      return await withKeyPair(work)
    })
    const { rotateKey } = await alice.run(RotateKeyDocument, { conversationId: id })
    expect(rotateKey.key).toMatchObject({ version: 2, state: 'ACTIVE', rotationReason: 'SCHEDULED' })
    expect(await keysOf(id)).toHaveLength(2)
  })
})

function now(): Date {
  return conclave.clock.now()
}

async function usedConversation(): Promise<string> {
  const made = await createConversation(alice, ['bob'])
  await send(alice, made, 'used')
  return made
}

/** Has the key be due so long from now. */
async function dueAt(fromNowMs: number, conversationId = id): Promise<void> {
  const at = new Date(now().getTime() + fromNowMs)
  await conclave.database.query('update conversations set key_rotates_at = $2 where id = $1', [conversationId, at])
}

async function rotatesAtOf(conversationId: string): Promise<Date | null | undefined> {
  const text = 'select key_rotates_at as at from conversations where id = $1'
  return (await conclave.database.query<{ at: Date | null }>(text, [conversationId]))[0]?.at
}

async function rowOf(conversationId: string): Promise<{ id: string }> {
  const [row] = await conclave.database.query<{ id: string }>('select * from conversations where id = $1', [
    conversationId
  ])
  if (!row) throw new Error('there is no such conversation')
  return row
}

async function keysOf(conversationId: string) {
  const { conversation } = await alice.run(KeysDocument, { id: conversationId })
  return conversation?.keys.map(({ version, state, rotationReason }) => [version, state, rotationReason]) ?? []
}

/** Events of the conversation behind that of its creation, as actor, action, version and detail. */
async function eventsOf(conversationId: string) {
  const rows = await conclave.database.query<{ actor: string; action: string; version: number; detail: string }>(
    `select actor, action, key_version as version, detail from key_events where conversation_id = $1
      order by sequence offset 1`,
    [conversationId]
  )
  return rows.map(({ actor, action, version, detail }) => [actor, action, version, detail])
}
