import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ConversationKeyPolicyDocument,
  CreateConversationDocument,
  DeleteConversationDocument,
  KeyPolicyDocument,
  KeysDocument,
  RemoveMemberDocument,
  RotateKeyDocument,
  ScheduleKeyDestructionDocument,
  SetKeyPolicyDocument,
  SetMemberRoleDocument
} from '../../documents/generated.js'
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
    expect(await lastEventOf(id)).toMatchObject({ actor: 'bob', detail: 'operation=setKeyPolicy code=FORBIDDEN' })
    const admin = await conclave.as('admin', { scopes: ['keys:admin'] })
    const { setKeyPolicy } = await admin.run(SetKeyPolicyDocument, { conversationId: id, policy })
    expect(setKeyPolicy.keyPolicy.rotateAfter).toBe('P1D')
  })

  it('is shown to whoever may see the keys of any conversation, and of none that was deleted', async () => {
    const id = await createConversation(alice, [])
    await alice.run(SetKeyPolicyDocument, { conversationId: id, policy: { rotateAfter: 'P90D' } })
    const auditor = await conclave.as('auditor', { scopes: ['keys:read'] })
    const shown = async () =>
      (await auditor.run(ConversationKeyPolicyDocument, { conversationId: id })).conversationKeyPolicy
    expect(await shown()).toEqual(await policyOf(id))
    await alice.run(DeleteConversationDocument, { conversationId: id })
    expect(await shown()).toBeNull()
  })

  it('changes what it names, keeps the rest, and takes null for never', async () => {
    const id = await createConversation(alice, [], { keyPolicy: { rotateAfter: 'P10D', destroyAfter: 'P90D' } })
    await alice.run(SetKeyPolicyDocument, { conversationId: id, policy: { rotateAfterMessages: 500 } })
    expect(await policyOf(id)).toMatchObject({ rotateAfter: 'P10D', rotateAfterMessages: 500, destroyAfter: 'P90D' })
    await alice.run(SetKeyPolicyDocument, { conversationId: id, policy: { rotateAfter: null } })
    expect(await policyOf(id)).toMatchObject({ rotateAfter: null, rotateAfterMessages: 500 })
    expect((await keysOf(id))[0]?.rotatesAt).toBeNull()
  })

  it('moves the due time of the active key, which goes on serving until then', async () => {
    const id = await createConversation(alice, [])
    const due = new Date(conclave.clock.now().getTime() + 2 * DAY_MS)
    await send(alice, id, 'before')
    await alice.run(SetKeyPolicyDocument, { conversationId: id, policy: { rotateAfter: 'P2D' } })
    expect((await keysOf(id))[0]?.rotatesAt).toBe(due.toISOString())
    expect(await dueOf(id)).toEqual({ at: due, limit: null })
    expect((await send(alice, id, 'after')).keyVersion).toBe(1)
  })

  it.each([
    [1, true],
    [2, true],
    [3, false]
  ])('to %i messages has a key with two of them due at once: %s', async (rotateAfterMessages, isDue) => {
    const id = await createConversation(alice, [])
    for (const body of ['one', 'two']) await send(alice, id, body)
    await alice.run(SetKeyPolicyDocument, { conversationId: id, policy: { rotateAfterMessages } })
    const now = conclave.clock.now()
    const at = isDue ? now : new Date(now.getTime() + 30 * DAY_MS)
    expect(await dueOf(id)).toEqual({ at, limit: rotateAfterMessages })
  })

  it('moves the end of deactivated keys where it names one, and leaves it where it does not', async () => {
    const id = await createConversation(alice, [])
    await alice.run(RotateKeyDocument, { conversationId: id })
    const endOf = async () => (await keysOf(id)).map(({ destroysAt }) => destroysAt)
    const set = (policy: object) => alice.run(SetKeyPolicyDocument, { conversationId: id, policy })
    const inDays = (days: number) => new Date(conclave.clock.now().getTime() + days * DAY_MS).toISOString()
    await set({ destroyAfter: 'P40D' })
    expect(await endOf()).toEqual([inDays(40), null])
    await conclave.database.query(
      'update conversation_keys set destroys_at = null where conversation_id = $1 and version = 1',
      [id]
    )
    await set({ rotateAfter: 'P20D' })
    expect(await endOf()).toEqual([null, null])
    await set({ destroyAfter: 'P50D' })
    expect(await endOf()).toEqual([inDays(50), null])
    await set({ destroyAfter: null })
    expect(await endOf()).toEqual([null, null])
  })

  it('leaves a key that waits for its destruction to it, and other conversations alone', async () => {
    const [id, other] = [await createConversation(alice, []), await createConversation(alice, [])]
    const admin = await conclave.as('admin', { scopes: ['keys:admin'] })
    await alice.run(RotateKeyDocument, { conversationId: id })
    await admin.run(ScheduleKeyDestructionDocument, { conversationId: id, version: 1, after: 'P7D' })
    const before = [(await keysOf(id))[0], await keysOf(other), await policyOf(other)]
    await alice.run(SetKeyPolicyDocument, { conversationId: id, policy: { destroyAfter: 'P40D' } })
    expect([(await keysOf(id))[0], await keysOf(other), await policyOf(other)]).toEqual(before)
  })

  it('is recorded as the policy that holds from then on', async () => {
    const id = await createConversation(alice, [])
    await alice.run(SetKeyPolicyDocument, { conversationId: id, policy: { rotateAfter: 'P3D' } })
    const detail = 'rotateAfter=P3D rotateAfterMessages=never destroyAfter=never rotateOnMemberRemoval=true'
    expect(await lastEventOf(id)).toEqual({ actor: 'alice', action: 'key.policy-set', key_version: null, detail })
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

async function dueOf(id: string) {
  const text = 'select key_rotates_at as at, key_message_limit as "limit" from conversations where id = $1'
  return (await conclave.database.query(text, [id]))[0]
}

async function lastEventOf(id: string) {
  const text = `select actor, action, key_version, detail from key_events where conversation_id = $1
                 order by sequence desc limit 1`
  return (await conclave.database.query(text, [id]))[0]
}

async function policyOf(id: string) {
  return (await alice.run(KeyPolicyDocument, { id })).conversation?.keyPolicy
}

async function keysOf(id: string) {
  return (await alice.run(KeysDocument, { id })).conversation?.keys ?? []
}
