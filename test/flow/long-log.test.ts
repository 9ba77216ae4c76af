import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { MessagesDocument } from '../../documents/generated.js'
import { messageStream } from '../../src/delivery/message-stream.js'
import { sendMessage } from '../../src/message/send-message.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'

/** Reading a long log: what is read of it must depend on what is given, and not on all that follows. */

const MESSAGES = 2_000
const BATCH = 50

let conclave: TestConclave
let alice: GraphQLClient
let id: string

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  id = await createConversation(alice, [])
  const viewer = await conclave.services.authenticate(`Bearer ${await conclave.token('alice')}`)
  const draft = { conversationId: id, body: 'x', clientMessageId: null, replyToId: null }
  await Promise.all(Array.from({ length: MESSAGES }, () => sendMessage(conclave.services, viewer, draft)))
  // As the server does by itself from time to time.
  await conclave.database.query('analyze')
})
afterAll(() => conclave.close())

describe(`of a log of ${MESSAGES} messages`, () => {
  it.each([
    ['read-log', 'catching up', catchUp, () => [id, 'alice', 100, BATCH]],
    ['read-tail-of-log', 'following', followOne, () => [id, 100, BATCH]],
    ['pages-of-messages-desc', 'the last page', lastPage, () => ['alice', `{${id}}`, '{100}', '{100000}', `{${BATCH}}`]]
  ])('no more is read than is given: %s, by %s', async (name, _, read, values) => {
    const run = vi.spyOn(conclave.services.database, 'run')
    await read()
    const [statement] = run.mock.calls.find(([{ name: called }]) => called === name) ?? []
    run.mockRestore()
    expect(rowsOfMessages(await planOf(statement?.text ?? '', values()))).toBe(BATCH)
  })
})

async function catchUp(): Promise<void> {
  const viewer = await conclave.services.authenticate(`Bearer ${await conclave.token('alice')}`)
  const events = await messageStream(conclave.services, viewer, id, 100, null)
  await events.next()
  await events.return?.()
}

async function followOne(): Promise<void> {
  const viewer = await conclave.services.authenticate(`Bearer ${await conclave.token('alice')}`)
  const events = await messageStream(conclave.services, viewer, id, null, null)
  const next = events.next()
  await vi.waitFor(async () => {
    await send(alice, id, 'one more')
    await Promise.race([next, Promise.reject(new Error('not yet'))])
  })
  await events.return?.()
}

async function lastPage(): Promise<void> {
  await alice.run(MessagesDocument, { id, last: BATCH })
}

/** The one that a connection keeps for all values. */
async function planOf(text: string, values: unknown[]): Promise<Node | undefined> {
  await conclave.database.query('set plan_cache_mode = force_generic_plan')
  await conclave.database.query(`prepare explained as ${text}`)
  const literals = values.map((value) => `'${value}'`)
  const [row] = await conclave.database.query<{ 'QUERY PLAN': [{ Plan: Node }] }>(
    `explain (analyze, format json) execute explained(${literals})`
  )
  await conclave.database.query('deallocate explained')
  return row?.['QUERY PLAN'][0].Plan
}

interface Node {
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  Plans?: Node[]
}

/** That were taken from the table of messages, by whatever nodes of the plan. */
function rowsOfMessages(node: Node | undefined): number {
  if (!node) return 0
  const own = node['Relation Name'] === 'messages' ? node['Actual Rows'] * node['Actual Loops'] : 0
  return own + (node.Plans ?? []).reduce((sum, plan) => sum + rowsOfMessages(plan), 0)
}
