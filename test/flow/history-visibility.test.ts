import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  AddMembersDocument,
  ConversationDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  MessageEventsDocument,
  type MessageFieldsFragment,
  MessagesDocument,
  SendMessageDocument
} from '../../documents/generated.js'
import { encodeCursor } from '../../src/graphql/cursor.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { brief, createConversation, eventCursor, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'

/** A conversation whose members see what follows their joining: one message before Carol joins, and what comes of it. */

let conclave: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient
let carol: GraphQLClient
let id: string
let early: MessageFieldsFragment

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  bob = await conclave.as('bob')
  carol = await conclave.as('carol')
})
afterAll(() => conclave.close())

beforeEach(async () => {
  id = await createConversation(alice, ['bob'], { historyVisibility: 'SINCE_JOINED' })
  early = await send(alice, id, 'early')
  await alice.run(AddMembersDocument, { conversationId: id, userIds: ['carol'] })
})

describe('what was sent before joining', () => {
  it('is no event from any cursor, and neither is its edit or its deletion', async () => {
    const fromTheStart = encodeCursor('event', id, '0')
    const live = carol.subscribe(MessageEventsDocument, { conversationId: id, after: fromTheStart })
    expect(brief(await live.next())).toBe('SENT alice added carol')
    await alice.run(EditMessageDocument, { messageId: early.id, body: 'early, edited' })
    await send(alice, id, 'after the edit')
    expect(brief(await live.next())).toBe('SENT after the edit')
    await alice.run(DeleteMessageDocument, { messageId: early.id })
    await send(alice, id, 'after the deletion')
    expect(brief(await live.next())).toBe('SENT after the deletion')
    const again = carol.subscribe(MessageEventsDocument, { conversationId: id, after: fromTheStart })
    expect((await again.take(3)).map(brief)).toEqual([
      'SENT alice added carol',
      'SENT after the edit',
      'SENT after the deletion'
    ])
  })

  it('is an event, edited and deleted, to a member who was there', async () => {
    const events = bob.subscribe(MessageEventsDocument, { conversationId: id, after: encodeCursor('event', id, '0') })
    expect((await events.take(2)).map(brief)).toEqual(['SENT early', 'SENT alice added carol'])
    await alice.run(EditMessageDocument, { messageId: early.id, body: 'early, edited' })
    expect(brief(await events.next())).toBe('EDITED early, edited')
    await alice.run(DeleteMessageDocument, { messageId: early.id })
    expect(brief(await events.next())).toBe('DELETED null')
  })

  it('is not shown by a reply to it, on a page or in an event', async () => {
    const cursor = await eventCursor(carol, id)
    await bob.run(SendMessageDocument, { input: { conversationId: id, body: 'a reply', replyToId: early.id } })
    const replyTo = async (reader: GraphQLClient) => (await readBack(reader, id)).at(-1)?.replyTo
    expect([await replyTo(bob), await replyTo(carol)]).toEqual([{ id: early.id, sequence: 1 }, null])
    const event = await carol.subscribe(MessageEventsDocument, { conversationId: id, after: cursor }).next()
    expect(event.messageEvents.message).toMatchObject({ body: 'a reply', replyTo: null })
    expect((await carol.run(ConversationDocument, { id })).conversation?.lastMessage?.replyTo).toBeNull()
  })

  it('cannot be replied to, edited or deleted, any more than a message that does not exist', async () => {
    const reply = { conversationId: id, body: 'x', replyToId: early.id }
    const { errors } = await carol.execute(SendMessageDocument, { input: reply })
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'input.replyToId' } }])
    for (const attempt of [
      carol.execute(EditMessageDocument, { messageId: early.id, body: 'x' }),
      carol.execute(DeleteMessageDocument, { messageId: early.id })
    ])
      expect((await attempt).errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
  })

  it('is on no page, whatever the cursor', async () => {
    const cursor = encodeCursor('message', id, '0')
    const pages = [{ first: 10 }, { last: 10 }, { first: 10, after: cursor }]
    for (const page of pages) {
      const { conversation } = await carol.run(MessagesDocument, { id, ...page })
      expect(conversation?.messages.edges.map(({ node }) => node.body)).toEqual(['alice added carol'])
      expect(conversation?.messages).toMatchObject({ totalCount: 1, pageInfo: { hasPreviousPage: false } })
    }
  })
})
