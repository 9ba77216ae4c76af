import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  AddMembersDocument,
  CancelKeyDestructionDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  KeysDocument,
  MarkKeyCompromisedDocument,
  ReencryptConversationDocument,
  RemoveMemberDocument,
  RotateKeyDocument,
  ScheduleKeyDestructionDocument,
  SendMessageDocument
} from '../../documents/generated.js'
import { verifyKeyEvents } from '../../src/conversation-key/verify-key-events.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { runDueWork } from '../support/worker-run.js'

/** Whatever is done to the keys of a conversation, in whatever order, some things always hold. */

let conclave: TestConclave
let owner: GraphQLClient
let admin: GraphQLClient

beforeAll(async () => {
  conclave = await bootConclave()
  owner = await conclave.as('owner')
  admin = await conclave.as('admin', { scopes: ['keys:admin'] })
  await conclave.workerServices.keySupply.refill(20)
})
afterAll(() => conclave.close())

/** Something done to one message or version, given as a share of those that there are. */
const toOne = <Name extends string>(name: Name) =>
  fc.record({ do: fc.constant(name), share: fc.double({ min: 0, max: 0.999, noNaN: true }) })

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('send' as const), body: fc.string({ minLength: 1, unit: 'binary' }) })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rotate' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('addMember' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('removeMember' as const) }) },
  { weight: 2, arbitrary: toOne('edit') },
  { weight: 1, arbitrary: toOne('delete') },
  { weight: 1, arbitrary: toOne('compromise') },
  { weight: 1, arbitrary: toOne('schedule') },
  { weight: 1, arbitrary: toOne('cancel') },
  { weight: 1, arbitrary: toOne('reencrypt') },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('work' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) }
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

describe('after any sequence of sends, edits, rotations, removals, compromises, destructions and restarts', () => {
  it('one key is active, what is readable is what was sent, and what is not has its reason', {
    timeout: 120_000
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
        const id = await createConversation(owner, [])
        const sent: Sent = new Map()
        for (const taken of steps) {
          await take(id, taken, sent)
          await expectInvariants(id, sent)
        }
      }),
      { numRuns: 25 }
    )
    expect(await verifyKeyEvents(conclave.services)).toMatchObject({ valid: true })
  })
})

/** What was sent, by sequence: null once it was deleted. */
type Sent = Map<number, { id: string; body: string | null }>

async function take(conversationId: string, taken: Step, sent: Sent): Promise<void> {
  if (taken.do === 'send') {
    const { data } = await owner.execute(SendMessageDocument, { input: { conversationId, body: taken.body } })
    if (data) sent.set(data.sendMessage.message.sequence, { id: data.sendMessage.message.id, body: taken.body })
  } else if (taken.do === 'edit' || taken.do === 'delete') await changeMessage(taken, sent)
  else if (taken.do === 'rotate') await owner.run(RotateKeyDocument, { conversationId })
  else if (taken.do === 'addMember') await owner.run(AddMembersDocument, { conversationId, userIds: ['guest'] })
  else if (taken.do === 'removeMember') await owner.execute(RemoveMemberDocument, { conversationId, userId: 'guest' })
  else if (taken.do === 'restart') await conclave.restart()
  else if (taken.do === 'work') {
    conclave.clock.advance(2000)
    await runDueWork(conclave)
    await expectNoneLeftCompromised(conversationId)
  } else await change(conversationId, taken)
}

/** A message of which the key is gone is edited like any other: it then lies under the active one. */
async function changeMessage(taken: Extract<Step, { do: 'edit' | 'delete' }>, sent: Sent): Promise<void> {
  const message = [...sent.values()][Math.floor(taken.share * sent.size)]
  if (!message) return
  if (taken.do === 'delete') {
    await owner.run(DeleteMessageDocument, { messageId: message.id })
    message.body = null
  } else {
    const body = `edited ${taken.share}`
    const { data, errors } = await owner.execute(EditMessageDocument, { messageId: message.id, body })
    if (errors) expect([message.body, errors[0]?.extensions.code]).toEqual([null, 'CONFLICT'])
    if (data) message.body = body
  }
}

/** Some of these are refused, depending on the state that the version is in: they must then change nothing. */
async function change(
  conversationId: string,
  taken: Extract<Step, { do: 'compromise' | 'schedule' | 'cancel' | 'reencrypt' }>
): Promise<void> {
  const keys = await keysOf(conversationId)
  const version = 1 + Math.floor(taken.share * keys.length)
  const { errors } = await operate(conversationId, version, taken.do)
  if (!errors) return
  expect(['CONFLICT', 'BAD_USER_INPUT']).toContain(errors[0]?.extensions.code)
  expect(await keysOf(conversationId)).toEqual(keys)
}

function operate(
  conversationId: string,
  version: number,
  operation: 'compromise' | 'schedule' | 'cancel' | 'reencrypt'
) {
  if (operation === 'compromise') return admin.execute(MarkKeyCompromisedDocument, { conversationId, version })
  if (operation === 'schedule')
    return admin.execute(ScheduleKeyDestructionDocument, { conversationId, version, after: 'PT1S' })
  if (operation === 'cancel') return admin.execute(CancelKeyDestructionDocument, { conversationId, version })
  return admin.execute(ReencryptConversationDocument, { conversationId, fromVersion: version })
}

async function expectInvariants(id: string, sent: Sent): Promise<void> {
  const keys = await keysOf(id)
  expect(keys.filter(({ state }) => state === 'ACTIVE').map(({ version }) => version)).toEqual([keys.length])
  expect(keys.map(({ version }) => version)).toEqual(keys.map((_, index) => index + 1))
  const stateOf = new Map(keys.map(({ version, state }) => [version, state]))
  const messages = await readBack(owner, id)
  for (const { sequence, kind, body, status, keyVersion } of messages) {
    const state = stateOf.get(keyVersion)
    const expected =
      sent.get(sequence)?.body === null
        ? 'DELETED'
        : state === 'DESTROYED'
          ? 'KEY_DESTROYED'
          : state === 'PENDING_DESTRUCTION'
            ? 'UNREADABLE'
            : 'READABLE'
    expect([sequence, status]).toEqual([sequence, expected])
    if (kind === 'TEXT') expect(body).toBe(status === 'READABLE' ? sent.get(sequence)?.body : null)
  }
  const counted = keys.map(({ messageCount }) => messageCount)
  expect(counted).toEqual(
    keys.map(
      ({ version }) =>
        messages.filter(({ keyVersion, status }) => keyVersion === version && status !== 'DELETED').length
    )
  )
}

/** A compromised version is there only for as long as it is being moved away from, or because a message cannot be. */
async function expectNoneLeftCompromised(id: string): Promise<void> {
  const compromised = (await keysOf(id)).filter(({ state }) => state === 'COMPROMISED')
  for (const { version } of compromised) {
    const [operation] = await conclave.database.query<{ state: string }>(
      `select state from key_operations
        where conversation_id = $1 and key_version = $2 order by created_at desc, id desc limit 1`,
      [id, version]
    )
    expect([version, operation?.state]).toEqual([version, 'FAILED'])
  }
}

async function keysOf(id: string) {
  return (await owner.run(KeysDocument, { id })).conversation?.keys ?? []
}
