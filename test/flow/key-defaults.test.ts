import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  CancelKeyDestructionDocument,
  KeysDocument,
  RotateKeyDocument,
  ScheduleKeyDestructionDocument,
  SetKeyPolicyDocument
} from '../../documents/generated.js'
import {
  applyDefaults,
  type BehindDefaults,
  findBehindDefaults,
  registerKeyDefaults
} from '../../src/conversation-key/key-defaults.js'
import { describePolicy } from '../../src/conversation-key/key-policy.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import { holdTransaction, untilWaiting } from '../support/held-transaction.js'
import { runDueWork } from '../support/worker-run.js'

const DAY_MS = 24 * 60 * 60 * 1000

describe('registering defaults', () => {
  let conclave: TestConclave
  beforeAll(async () => {
    conclave = await bootConclave()
  })
  afterAll(() => conclave.close())

  const register = (rotateAfter: string) => {
    const { database, config } = conclave.services
    return registerKeyDefaults({ database, now: conclave.clock.now() }, { ...config.keyPolicy, rotateAfter })
  }
  const registered = () =>
    conclave.database.query<{ id: number; since: Date; policy: object }>(
      'select * from key_policy_defaults order by id'
    )

  it('that are noted already adds nothing', async () => {
    expect(await register('P30D')).toBe(conclave.services.keyDefaultsId)
    expect(await registered()).toHaveLength(1)
  })

  it('that are new notes them under a number of their own, and in the audit trail', async () => {
    const id = await register('P8D')
    const policy = { ...conclave.services.config.keyPolicy, rotateAfter: 'P8D' }
    expect((await registered()).at(-1)).toEqual({ id, since: conclave.clock.now(), policy })
    const [event] = await conclave.database.query(
      `select at, actor, conversation_id, key_version, detail from key_events where action = 'key.defaults-set'
        order by sequence desc limit 1`
    )
    const nothing = { conversation_id: null, key_version: null }
    expect(event).toEqual({
      at: conclave.clock.now(),
      actor: 'scheduler',
      ...nothing,
      detail: describePolicy(policy)
    })
  })

  it('by two processes that start at once notes them once', async () => {
    const before = (await registered()).length
    const held = await holdTransaction(conclave.database)
    // What the first to come has until it is done.
    await held.query('select pg_advisory_xact_lock(20265)')
    const registering = [register('P9D'), register('P9D')]
    await untilWaiting(conclave.database, 2)
    await held.commit()
    const [one, other] = await Promise.all(registering)
    expect(other).toBe(one)
    expect(await registered()).toHaveLength(before + 1)
  })
})

describe('conversations with older defaults', () => {
  let conclave: TestConclave
  let ids: string[]
  beforeAll(async () => {
    conclave = await bootConclave()
    const alice = await conclave.as('alice')
    ids = []
    for (let made = 0; made < 3; made++) ids.push(await createConversation(alice, []))
    await send(alice, ids[0] ?? '', 'used')
    ids.sort()
  })
  afterAll(() => conclave.close())
  afterEach(() => {
    vi.restoreAllMocks()
  })

  const setDefaultsOf = (id: string | undefined, keyDefaultsId: number) =>
    conclave.database.query('update conversations set key_defaults_id = $2 where id = $1', [id, keyDefaultsId])

  it('are found page by page, those with the oldest first, without those that were deleted', async () => {
    const { keyDefaultsId } = conclave.services
    await setDefaultsOf(ids[0], keyDefaultsId - 1)
    await setDefaultsOf(ids[1], keyDefaultsId - 2)
    await setDefaultsOf(ids[2], keyDefaultsId - 1)
    const found: BehindDefaults[] = []
    for (let page = 0; page < 4; page++) {
      found.push(...(await findBehindDefaults(conclave.workerServices, 1, found.at(-1) ?? null)))
    }
    expect(found).toEqual([
      { id: ids[1], keyDefaultsId: keyDefaultsId - 2 },
      { id: ids[0], keyDefaultsId: keyDefaultsId - 1 },
      { id: ids[2], keyDefaultsId: keyDefaultsId - 1 }
    ])
    await conclave.database.query('update conversations set deleted_at = now() where id = $1', [ids[1]])
    expect(await findBehindDefaults(conclave.workerServices, 10, null)).toEqual(found.slice(1))
    await conclave.database.query('update conversations set deleted_at = null where id = $1', [ids[1]])
  })

  it('have these applied once, and only while they are there', async () => {
    const { keyDefaultsId } = conclave.services
    const dueOf = (id: string | undefined) =>
      conclave.database.query('select key_rotates_at, key_defaults_id from conversations where id = $1', [id])
    await conclave.database.query('update conversations set key_rotates_at = null')
    await setDefaultsOf(ids[0], keyDefaultsId)
    await setDefaultsOf(ids[1], keyDefaultsId - 1)
    await setDefaultsOf(ids[2], keyDefaultsId - 1)
    await conclave.database.query('update conversations set deleted_at = now() where id = $1', [ids[2]])
    for (const id of ids) await applyDefaults(conclave.workerServices, id)
    expect(await dueOf(ids[0])).toEqual([{ key_rotates_at: null, key_defaults_id: keyDefaultsId }])
    const inThirtyDays = new Date(conclave.clock.now().getTime() + 30 * DAY_MS)
    expect(await dueOf(ids[1])).toEqual([{ key_rotates_at: inThirtyDays, key_defaults_id: keyDefaultsId }])
    expect(await dueOf(ids[2])).toEqual([{ key_rotates_at: null, key_defaults_id: keyDefaultsId - 1 }])
  })

  it('have them applied under what somebody sets for them meanwhile', async () => {
    const [id] = ids
    await setDefaultsOf(id, conclave.services.keyDefaultsId - 1)
    const held = await holdTransaction(conclave.database)
    await held.query(`update conversations set key_policy = '{"rotateAfter": "P5D"}' where id = $1`, [id])
    const applying = applyDefaults(conclave.workerServices, id ?? '')
    await untilWaiting(conclave.database, 1)
    await held.commit()
    await applying
    const rows = await conclave.database.query('select rotates_at from conversation_keys where conversation_id = $1', [
      id
    ])
    expect(rows).toEqual([{ rotates_at: new Date(conclave.clock.now().getTime() + 5 * DAY_MS) }])
  })
})

describe("the deployment's defaults", () => {
  it('reach conversations that were there before, as far as these have set nothing for themselves', async () => {
    const changing = await bootConclave()
    const owner = await changing.as('alice')
    const [plain, own] = [
      await createConversation(owner, []),
      await createConversation(owner, [], { keyPolicy: { rotateAfter: 'P20D', destroyAfter: 'P400D' } })
    ]
    for (const id of [plain, own]) await owner.run(RotateKeyDocument, { conversationId: id })
    const { keyPolicy } = changing.services.config
    await changing.restart({ keyPolicy: { ...keyPolicy, rotateAfter: 'P7D', destroyAfter: 'P90D' } })
    await runDueWork(changing)
    const daysOf = async (id: string) => {
      const keys = (await owner.run(KeysDocument, { id })).conversation?.keys ?? []
      const day = (instant: string | null = null) =>
        instant && Math.round((Date.parse(instant) - changing.clock.now().getTime()) / DAY_MS)
      return [day(keys[0]?.destroysAt), day(keys[1]?.rotatesAt)]
    }
    expect(await daysOf(plain)).toEqual([90, 7])
    expect(await daysOf(own)).toEqual([400, 20])
    const events = await changing.database.query<{ detail: string }>(
      `select detail from key_events where action = 'key.defaults-set' order by sequence`
    )
    expect(events.map(({ detail }) => detail.split(' ')[0])).toEqual(['rotateAfter=P30D', 'rotateAfter=P7D'])
    await changing.close()
  })

  it('leave a key alone whose destruction somebody has cancelled', async () => {
    const changing = await bootConclave()
    const { keyPolicy } = changing.services.config
    await changing.restart({ keyPolicy: { ...keyPolicy, destroyAfter: 'P90D' } })
    const owner = await changing.as('alice')
    const admin = await changing.as('admin', { scopes: ['keys:admin'] })
    const id = await createConversation(owner, [])
    await owner.run(RotateKeyDocument, { conversationId: id })
    await admin.run(ScheduleKeyDestructionDocument, { conversationId: id, version: 1, after: 'P7D' })
    await admin.run(CancelKeyDestructionDocument, { conversationId: id, version: 1 })
    await changing.restart({ keyPolicy: { ...keyPolicy, destroyAfter: 'P60D' } })
    await runDueWork(changing)
    const kept = async () => (await owner.run(KeysDocument, { id })).conversation?.keys[0]?.destroysAt
    expect(await kept()).toBeNull()
    await owner.run(SetKeyPolicyDocument, { conversationId: id, policy: { destroyAfter: 'P40D' } })
    expect(await kept()).not.toBeNull()
    await changing.close()
  })

  it('reach every conversation but one that they cannot be applied to', async () => {
    const changing = await bootConclave()
    const owner = await changing.as('alice')
    await changing.workerServices.keySupply.refill(3)
    const [bad] = [await createConversation(owner, []), await createConversation(owner, [])]
    await changing.database.query(`update conversations set key_policy = '{"rotateAfter": "nonsense"}' where id = $1`, [
      bad
    ])
    const { keyPolicy } = changing.services.config
    await changing.restart({ keyPolicy: { ...keyPolicy, rotateAfter: 'P7D' } })
    await runDueWork(changing)
    const { keyDefaultsId } = changing.services
    const behind = await changing.database.query('select id from conversations where key_defaults_id < $1', [
      keyDefaultsId
    ])
    expect(behind).toEqual([{ id: bad }])
    await changing.close()
  })

  it('are applied again where a process with older ones has rotated meanwhile', async () => {
    const newer = await bootConclave()
    const older = await bootConclave({ databaseUrl: newer.database.url })
    const { keyPolicy } = newer.services.config
    const id = await createConversation(await newer.as('alice'), [])
    await newer.restart({ keyPolicy: { ...keyPolicy, rotateAfter: 'P7D' } })
    await runDueWork(newer)
    await (await older.as('alice')).run(RotateKeyDocument, { conversationId: id })
    await runDueWork(newer)
    const keys = (await (await newer.as('alice')).run(KeysDocument, { id })).conversation?.keys
    const active = keys?.at(-1)
    expect(Date.parse(active?.rotatesAt ?? '') - Date.parse(active?.activatedAt ?? '')).toBe(7 * DAY_MS)
    await older.close()
    await newer.close()
  })

  it('of a process that started before others changed them are not applied any more', async () => {
    const older = await bootConclave()
    const id = await createConversation(await older.as('alice'), [])
    await registerKeyDefaults(
      { database: older.services.database, now: older.clock.now() },
      { ...older.services.config.keyPolicy, rotateAfter: 'P7D' }
    )
    await older.database.query('update conversations set key_defaults_id = 0')
    await runDueWork(older)
    const [row] = await older.database.query('select key_defaults_id from conversations where id = $1', [id])
    expect(row).toEqual({ key_defaults_id: 0 })
    await older.close()
  })
})
