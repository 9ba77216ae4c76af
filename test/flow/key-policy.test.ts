import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  CancelKeyDestructionDocument,
  CreateConversationDocument,
  KeyPolicyDocument,
  KeysDocument,
  RemoveMemberDocument,
  RotateKeyDocument,
  ScheduleKeyDestructionDocument,
  SetKeyPolicyDocument,
  SetMemberRoleDocument
} from '../../documents/generated.js'
import { registerKeyDefaults } from '../../src/conversation-key/key-defaults.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { runDueWork } from '../support/worker-run.js'

const DAY_MS = 24 * 60 * 60 * 1000

let conclave: TestConclave
let alice: GraphQLClient

beforeAll(async () => {
  conclave = await bootConclave()
  await conclave.workerServices.keySupply.refill(5)
  alice = await conclave.as('alice')
})
afterAll(() => conclave.close())

describe('setting a key policy', () => {
  it.each([
    [{ rotateAfter: 'PT0S' }, 'policy.rotateAfter'],
    [{ rotateAfter: '-P1D' }, 'policy.rotateAfter'],
    [{ rotateAfter: '30 days' }, 'policy.rotateAfter'],
    [{ rotateAfter: 'P11Y' }, 'policy.rotateAfter'],
    [{ destroyAfter: '' }, 'policy.destroyAfter'],
    [{ rotateAfterMessages: 0 }, 'policy.rotateAfterMessages'],
    [{ rotateAfterMessages: -5 }, 'policy.rotateAfterMessages'],
    [{ rotateAfter: 'P30D', destroyAfter: 'P29D' }, 'policy.destroyAfter'],
    [{ destroyAfter: 'P1D' }, 'policy.destroyAfter']
  ])('refuses %j and changes nothing', async (policy, field) => {
    const id = await createConversation(alice, [])
    const { errors } = await alice.execute(SetKeyPolicyDocument, { conversationId: id, policy })
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field } }])
    expect(await policyOf(id)).toEqual({
      rotateAfter: 'P30D',
      rotateAfterMessages: null,
      destroyAfter: null,
      rotateOnMemberRemoval: true
    })
  })

  it('is refused when creating a conversation as well', async () => {
    const input = { memberIds: [], keyPolicy: { rotateAfter: 'never' } }
    const { errors } = await alice.execute(CreateConversationDocument, { input })
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'input.keyPolicy.rotateAfter' } }])
  })

  it('is for owners and administrators of keys', async () => {
    const id = await createConversation(alice, ['bob'])
    await alice.run(SetMemberRoleDocument, { conversationId: id, userId: 'bob', role: 'MODERATOR' })
    const policy = { rotateAfter: 'P1D' }
    const { errors } = await (await conclave.as('bob')).execute(SetKeyPolicyDocument, { conversationId: id, policy })
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
    const admin = await conclave.as('admin', { scopes: ['keys:admin'] })
    const { setKeyPolicy } = await admin.run(SetKeyPolicyDocument, { conversationId: id, policy })
    expect(setKeyPolicy.keyPolicy.rotateAfter).toBe('P1D')
  })

  it('changes what it names, keeps the rest, and takes null for never', async () => {
    const id = await createConversation(alice, [], { keyPolicy: { rotateAfter: 'P10D', destroyAfter: 'P90D' } })
    await alice.run(SetKeyPolicyDocument, { conversationId: id, policy: { rotateAfterMessages: 500 } })
    expect(await policyOf(id)).toMatchObject({ rotateAfter: 'P10D', rotateAfterMessages: 500, destroyAfter: 'P90D' })
    await alice.run(SetKeyPolicyDocument, { conversationId: id, policy: { rotateAfter: null } })
    expect(await policyOf(id)).toMatchObject({ rotateAfter: null, rotateAfterMessages: 500 })
    expect((await keysOf(id))[0]?.rotatesAt).toBeNull()
  })

  it('moves the due time of the active key', async () => {
    const id = await createConversation(alice, [])
    const activatedAt = conclave.clock.now().getTime()
    await alice.run(SetKeyPolicyDocument, { conversationId: id, policy: { rotateAfter: 'P2D' } })
    expect((await keysOf(id))[0]?.rotatesAt).toBe(new Date(activatedAt + 2 * DAY_MS).toISOString())
  })
})

describe('a key that is due', () => {
  it('by time is rotated by a worker when it was used, and left alone when it was not', async () => {
    const aging = await bootConclave()
    const owner = await aging.as('alice')
    const [used, idle] = [
      await createConversation(owner, []),
      await createConversation(owner, [], { title: 'never used' })
    ]
    await send(owner, used, 'once')
    aging.clock.advance(31 * DAY_MS)
    await runDueWork(aging)
    const later = await aging.as('alice')
    const states = async (id: string) =>
      (await later.run(KeysDocument, { id })).conversation?.keys.map(({ state, rotationReason }) => [
        state,
        rotationReason
      ])
    expect(await states(used)).toEqual([
      ['DEACTIVATED', 'CREATED'],
      ['ACTIVE', 'SCHEDULED']
    ])
    expect(await states(idle)).toEqual([['ACTIVE', 'CREATED']])
    await aging.close()
  })

  it('is rotated by the send that finds it overdue, when no worker runs', async () => {
    const aging = await bootConclave()
    const id = await createConversation(await aging.as('alice'), [])
    await send(await aging.as('alice'), id, 'first')
    aging.clock.advance(31 * DAY_MS)
    const later = await aging.as('alice')
    expect((await send(later, id, 'a month later')).keyVersion).toBe(2)
    expect((await readBack(later, id)).map(({ status }) => status)).toEqual(['READABLE', 'READABLE'])
    await aging.close()
  })

  it('that cannot be rotated does not hold up the others, and is named in the log', async () => {
    const [broken, fine] = [await createConversation(alice, []), await createConversation(alice, [])]
    for (const id of [broken, fine]) {
      await send(alice, id, 'used')
      await alice.run(SetKeyPolicyDocument, { conversationId: id, policy: { rotateAfterMessages: 1 } })
    }
    await conclave.database.query(`update conversations set key_policy = '{"rotateAfter": "nonsense"}' where id = $1`, [
      broken
    ])
    await runDueWork(conclave)
    expect((await keysOf(fine)).map(({ state }) => state)).toEqual(['DEACTIVATED', 'ACTIVE'])
    const entry = conclave
      .logged()
      .split('\n')
      .find((line) => line.includes('rotation failed'))
    expect(JSON.parse(entry ?? '{}')).toMatchObject({ conversationId: broken })
    await conclave.database.query(`update conversations set key_policy = '{}' where id = $1`, [broken])
  })

  it('by count is rotated before the first message over the limit', async () => {
    const id = await createConversation(alice, [], { keyPolicy: { rotateAfterMessages: 3 } })
    const versions: number[] = []
    for (let count = 0; count < 7; count++) versions.push((await send(alice, id, `message ${count}`)).keyVersion)
    expect(versions).toEqual([1, 1, 1, 2, 2, 2, 3])
    expect((await keysOf(id)).map(({ rotationReason, messageCount }) => [rotationReason, messageCount])).toEqual([
      ['CREATED', 3],
      ['MESSAGE_LIMIT', 3],
      ['MESSAGE_LIMIT', 1]
    ])
  })

  it('by a count of one fails none of a hundred and fifty who send at once', { timeout: 120_000 }, async () => {
    const id = await createConversation(alice, [], { keyPolicy: { rotateAfterMessages: 1 } })
    await conclave.workerServices.keySupply.refill(160)
    await Promise.all(Array.from({ length: 150 }, (_, index) => send(alice, id, `message ${index}`)))
    const messages = await readBack(alice, id)
    expect(new Set(messages.map(({ keyVersion }) => keyVersion)).size).toBe(150)
    expect(messages.every(({ status }) => status === 'READABLE')).toBe(true)
  })

  it('is rotated once by ten workers at the same time', async () => {
    const id = await createConversation(alice, [], { keyPolicy: { rotateAfterMessages: 1 } })
    await send(alice, id, 'reaches the limit')
    await Promise.all(Array.from({ length: 10 }, () => runDueWork(conclave)))
    expect((await keysOf(id)).map(({ version, state }) => [version, state])).toEqual([
      [1, 'DEACTIVATED'],
      [2, 'ACTIVE']
    ])
  })
})

describe('the removal of a member', () => {
  it('puts what is sent after it under a key that did not exist before it', async () => {
    const id = await createConversation(alice, ['bob'])
    await send(alice, id, 'with Bob')
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    await send(alice, id, 'without Bob')
    const messages = await readBack(alice, id)
    expect(messages.map(({ body, keyVersion }) => [body, keyVersion])).toEqual([
      ['with Bob', 1],
      ['alice removed bob', 1],
      ['without Bob', 2]
    ])
    expect((await keysOf(id))[1]?.rotationReason).toBe('MEMBER_REMOVED')
  })

  it('leaves the key alone where the policy says so', async () => {
    const id = await createConversation(alice, ['bob'], { keyPolicy: { rotateOnMemberRemoval: false } })
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    expect(await keysOf(id)).toHaveLength(1)
  })
})

async function policyOf(id: string) {
  return (await alice.run(KeyPolicyDocument, { id })).conversation?.keyPolicy
}

async function keysOf(id: string) {
  return (await alice.run(KeysDocument, { id })).conversation?.keys ?? []
}

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
