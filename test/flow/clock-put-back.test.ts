import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ConversationsDocument,
  EditMessageDocument,
  KeysDocument,
  MarkReadDocument,
  MessageEventsDocument,
  RotateKeyDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, eventCursor, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { runDueWork } from '../support/worker-run.js'

const HOUR_MS = 60 * 60 * 1000

let conclave: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient
let id: string

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  bob = await conclave.as('bob')
  id = await createConversation(alice, ['bob'])
})
afterAll(() => conclave.close())

describe('while the clock is put back an hour', () => {
  it('messages, events, read marks, keys and the list of conversations go on in their order', async () => {
    const other = await createConversation(alice, ['bob'])
    conclave.clock.advance(1_000)
    await send(alice, id, 'before')
    const after = await eventCursor(bob, id)
    conclave.clock.advance(-HOUR_MS)

    const late = await send(alice, id, 'an hour earlier')
    await alice.run(EditMessageDocument, { messageId: late.id, body: 'an hour earlier, edited' })
    await alice.run(RotateKeyDocument, { conversationId: id })
    await send(alice, id, 'under the next key')
    const texts = ['before', 'an hour earlier, edited', 'under the next key']
    expect((await readBack(bob, id)).map(({ body }) => body)).toEqual(texts)

    const events = bob.subscribe(MessageEventsDocument, { conversationId: id, after })
    const got = await events.take(2)
    expect(got.map(({ messageEvents: { message } }) => message.body)).toEqual(texts.slice(1))
    events.stop()

    const { markRead } = await bob.run(MarkReadDocument, { conversationId: id, sequence: 3 })
    expect(markRead.conversation.unreadCount).toBe(0)
    const { conversation } = await alice.run(KeysDocument, { id })
    expect(conversation?.keys.map(({ version, state }) => [version, state])).toEqual([
      [1, 'DEACTIVATED'],
      [2, 'ACTIVE']
    ])
    const { conversations } = await bob.run(ConversationsDocument, {})
    expect(conversations.edges.map(({ node }) => node.id)).toEqual([id, other])
  })

  it('the worker does no more than is due, and what is due when the clock comes back', async () => {
    await runDueWork(conclave)
    conclave.clock.advance(31 * 24 * HOUR_MS)
    alice = await conclave.as('alice')
    await runDueWork(conclave)
    const { conversation } = await alice.run(KeysDocument, { id })
    expect(conversation?.activeKey).toMatchObject({ version: 3, rotationReason: 'SCHEDULED' })
    expect((await readBack(alice, id)).every(({ status }) => status === 'READABLE')).toBe(true)
  })
})
