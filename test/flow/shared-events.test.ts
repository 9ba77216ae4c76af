import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { type GraphQLObjectType, parse } from 'graphql'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  AddMembersDocument,
  EditMessageDocument,
  InboxEventsDocument,
  MessageEventsDocument,
  RemoveMemberDocument,
  SendMessageDocument
} from '../../documents/generated.js'
import { createSchema } from '../../src/graphql/schema.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { brief, createConversation, eventCursor, follow, followLive, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'

/** What happens is read, opened, executed and written out once for all who have asked for the same, and may see the same. */

let conclave: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient
let id: string

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  bob = await conclave.as('bob')
})
beforeEach(async () => {
  id = await createConversation(alice, ['bob'])
})
afterEach(() => {
  vi.restoreAllMocks()
})
afterAll(() => conclave.close())

describe('what differs from one member to another', () => {
  it('is never marked as the same for all', () => {
    const marked = Object.values(createSchema({ devToken: true }).getTypeMap()).flatMap((type) =>
      Object.values('getFields' in type ? (type as GraphQLObjectType).getFields() : {})
        .filter(({ extensions }) => extensions.sameForAll)
        .map(({ name }) => `${type.name}.${name}`)
    )
    expect(marked.sort()).toEqual(
      [
        'Conversation.id',
        ...['cursor', 'message', 'type'].map((name) => `MessageEvent.${name}`),
        ...[
          'body',
          'clientMessageId',
          'conversation',
          'createdAt',
          'deletedAt',
          'editedAt',
          'id',
          'keyVersion',
          'kind',
          'replyTo'
        ].map((name) => `Message.${name}`),
        ...['sender', 'sequence', 'status'].map((name) => `Message.${name}`),
        'Subscription.inboxEvents',
        'Subscription.messageEvents',
        'User.id',
        'User.name'
      ].sort()
    )
  })

  it('is each member’s own', async () => {
    const document = subscription('body conversation { viewerRole unreadCount }')
    const variables = { id, after: await eventCursor(alice, id) }
    const [ofAlice, ofBob] = [alice, bob].map((reader) => reader.subscribe(document, variables))
    await send(alice, id, 'one')
    const roles = async (events: typeof ofAlice) => (await events?.next())?.messageEvents.message.conversation
    expect(await roles(ofAlice)).toEqual({ viewerRole: 'OWNER', unreadCount: 0 })
    expect(await roles(ofBob)).toEqual({ viewerRole: 'MEMBER', unreadCount: 1 })
    await send(alice, id, 'two')
    expect(await roles(ofAlice)).toEqual({ viewerRole: 'OWNER', unreadCount: 0 })
    expect(await roles(ofBob)).toEqual({ viewerRole: 'MEMBER', unreadCount: 2 })
  })

  it('is what is seen of the history: a reply shows what it replies to only to those who were there', async () => {
    const hiding = await createConversation(alice, ['bob'], { historyVisibility: 'SINCE_JOINED' })
    const early = await send(alice, hiding, 'early')
    await alice.run(AddMembersDocument, { conversationId: hiding, userIds: ['carol'] })
    const carol = await conclave.as('carol')
    const [ofBob, ofCarol] = [await followLive(bob, hiding), await followLive(carol, hiding)]
    await ofBob.next()
    await alice.run(SendMessageDocument, { input: { conversationId: hiding, body: 'reply', replyToId: early.id } })
    expect((await ofBob.next()).messageEvents.message.replyTo).toEqual({ id: early.id, sequence: 1 })
    expect((await ofCarol.next()).messageEvents.message.replyTo).toBeNull()
  })

  it('is what they have asked for: variables, names and fields', async () => {
    const after = await eventCursor(alice, id)
    const streams = [
      alice.subscribe(subscription('sequence body @include(if: $body)'), { id, after }),
      alice.subscribe(subscription('sequence body @include(if: $body)'), { id, after, body: false }),
      alice.subscribe(subscription('place: sequence'), { id, after })
    ]
    await send(alice, id, 'one')
    expect(await Promise.all(streams.map(async (stream) => (await stream.next()).messageEvents))).toEqual([
      { type: 'SENT', message: { sequence: 1, body: 'one' } },
      { message: { sequence: 1 } },
      { type: 'SENT', message: { place: 1 } }
    ])
  })
})

describe('a message to twenty subscribers who have asked for the same', () => {
  it('is read once, opened once, and executed once, wherever in the log they have begun', async () => {
    const cursors = [await eventCursor(alice, id)]
    await send(alice, id, 'before')
    cursors.push(await eventCursor(alice, id))
    const readers = Array.from({ length: 20 }, (_, index) => (index % 2 ? alice : bob))
    const streams = readers.map((reader, index) =>
      reader.subscribe(MessageEventsDocument, { conversationId: id, after: cursors[index % 3 ? 0 : 1] ?? null })
    )
    await send(alice, id, 'live?')
    for (const stream of streams) while (brief(await stream.next()) !== 'SENT live?');
    const run = vi.spyOn(conclave.services.database, 'run')
    const open = vi.spyOn(conclave.services.messageOpener, 'open')
    await send(alice, id, 'shared')
    expect(await Promise.all(streams.map(async (stream) => brief(await stream.next())))).toEqual(
      readers.map(() => 'SENT shared')
    )
    const reads = run.mock.calls.filter(([{ name }]) => name === 'read-tail-of-log' || name === 'read-log')
    expect(reads).toHaveLength(1)
    // Once for the answer to the sender, and once for all of them.
    expect(open).toHaveBeenCalledTimes(2)
  })

  it('is executed once as well for those who follow all of their conversations', async () => {
    const streams = [alice, bob, bob].map((reader) => reader.subscribe(InboxEventsDocument, {}))
    await send(alice, id, 'live?')
    const beat = setInterval(() => void send(alice, id, 'live?').catch(() => {}), 100)
    for (const stream of streams) await stream.next()
    clearInterval(beat)
    const open = vi.spyOn(conclave.services.messageOpener, 'open')
    const last = await send(alice, id, 'shared')
    for (const stream of streams) {
      for (;;) {
        const { message } = (await stream.next()).inboxEvents
        if (message.sequence < last.sequence) continue
        expect(message).toMatchObject({ body: 'shared', conversation: { id } })
        break
      }
    }
    const opened = open.mock.calls.filter(([[message]]) => message?.sequence === last.sequence)
    expect(opened.length).toBeLessThanOrEqual(2)
  })

  it('still reaches the others when the first of them has been removed', async () => {
    await alice.run(AddMembersDocument, { conversationId: id, userIds: ['carol'] })
    const carol = await conclave.as('carol')
    const ofCarol = await followLive(carol, id)
    const ofBob = await followLive(bob, id)
    const early = await send(alice, id, 'early')
    const removal = alice.run(RemoveMemberDocument, { conversationId: id, userId: 'carol' })
    const reply = alice.run(SendMessageDocument, { input: { conversationId: id, body: 'reply', replyToId: early.id } })
    await Promise.all([removal, reply])
    expect(await ofCarol.ended).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
    const bodies = await ofBob.take(3)
    expect(bodies.map(brief).sort()).toEqual(['SENT alice removed carol', 'SENT early', 'SENT reply'])
    const event = bodies.find((one) => brief(one) === 'SENT reply')
    expect(event?.messageEvents.message.replyTo?.id).toBe(early.id)
  })
})

describe('a subscriber who comes while the others are being served', () => {
  it('and may not see what has happened last does not read the log over and over', async () => {
    const hiding = await createConversation(alice, ['bob'], { historyVisibility: 'SINCE_JOINED' })
    const early = await send(alice, hiding, 'early')
    await alice.run(AddMembersDocument, { conversationId: hiding, userIds: ['carol'] })
    const carol = await conclave.as('carol')
    const after = await eventCursor(carol, hiding)
    const ofBob = await follow(bob, hiding)
    for (const body of ['edited', 'edited again']) {
      await alice.run(EditMessageDocument, { messageId: early.id, body })
      expect(brief(await ofBob.next())).toBe(`EDITED ${body}`)
    }
    const run = vi.spyOn(conclave.services.database, 'run')
    const ofCarol = carol.subscribe(MessageEventsDocument, { conversationId: hiding, after })
    for (let turn = 0; turn < 20; turn++) await send(bob, id, 'elsewhere')
    const reads = run.mock.calls.filter(([{ name }]) => name === 'read-log')
    expect(reads.length).toBeLessThanOrEqual(3)
    await send(alice, hiding, 'for all')
    expect(brief(await ofCarol.next())).toBe('SENT for all')
  })

  it('gets everything from its cursor on, each message once and in order', async () => {
    const first = await follow(bob, id)
    const count = 120
    const sending = Promise.all(Array.from({ length: count }, (_, index) => send(alice, id, `message ${index}`)))
    const start = (await first.next()).messageEvents.cursor
    const later = Array.from({ length: 10 }, () =>
      bob.subscribe(MessageEventsDocument, { conversationId: id, after: start })
    )
    await sending
    for (const stream of later) {
      const sequences = (await stream.take(count - 1)).map(({ messageEvents }) => messageEvents.message.sequence)
      expect(sequences).toEqual(Array.from({ length: count - 1 }, (_, index) => index + 2))
    }
  })
})

interface Events extends Record<string, unknown> {
  messageEvents: { message: Record<string, unknown> }
}

/** A subscription to some fields of the messages, of which `$body` may be one of the conditions. */
function subscription(fields: string): TypedDocumentNode<Events, Record<string, unknown>> {
  return parse(`subscription ($id: ID!, $after: String, $body: Boolean = true) {
    messageEvents(conversationId: $id, after: $after) {
      type @include(if: $body)
      message { ${fields} }
    }
  }`)
}
