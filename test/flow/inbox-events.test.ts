import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  AddMembersDocument,
  DeleteConversationDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  InboxEventsDocument,
  type InboxEventsSubscription,
  RemoveMemberDocument
} from '../../documents/generated.js'
import { inboxStream } from '../../src/delivery/inbox-stream.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, eventCursor, send } from '../support/chat.js'
import type { GraphQLClient, Subscribed } from '../support/graphql-client.js'
import { runDueWork } from '../support/worker-run.js'

let here: TestConclave
let there: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient

beforeAll(async () => {
  here = await bootConclave()
  there = await bootConclave({ databaseUrl: here.database.url })
  await here.workerServices.keySupply.refill(30)
  alice = await here.as('alice')
})
afterAll(async () => {
  await there.close()
  await here.close()
})

describe('an inbox', () => {
  it('refuses cursors that were made up, belong elsewhere, lie ahead, or come twice', async () => {
    bob = await there.as('refused')
    const [one, other] = await twoConversations('refused')
    await send(alice, one, 'one')
    const cursor = await eventCursor(alice, one)
    await here.database.query('update conversations set last_change = 0 where id = $1', [one])
    for (const resume of [
      [{ conversationId: one, after: 'nonsense' }],
      [{ conversationId: other, after: cursor }],
      [{ conversationId: one, after: cursor }],
      [
        { conversationId: other, after: await eventCursor(alice, other) },
        { conversationId: other, after: await eventCursor(alice, other) }
      ]
    ]) {
      const refused = bob.subscribe(InboxEventsDocument, { resume })
      expect(await refused.ended).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }])
    }
  })

  it('gets what happens in every conversation, that of each in its order', async () => {
    const [one, other] = await twoConversations('bob')
    const events = await openInbox('bob', one)
    for (const body of ['1', '2', '3']) for (const id of [one, other]) await send(alice, id, body)
    const got = await events.take(6)
    for (const id of [one, other]) expect(bodiesOf(got, id)).toEqual(['1', '2', '3'])
  })

  it('follows into a conversation from the joining on, and out of it, while the others go on', async () => {
    const [one, other] = await twoConversations('carol')
    const joined = await createConversation(alice, [])
    await send(alice, joined, 'before')
    const events = await openInbox('carol', one)
    await alice.run(AddMembersDocument, { conversationId: joined, userIds: ['carol'] })
    expect(bodyOf(await events.next())).toBe('alice added carol')
    await send(alice, joined, 'welcome')
    expect(bodyOf(await events.next())).toBe('welcome')
    await alice.run(RemoveMemberDocument, { conversationId: joined, userId: 'carol' })
    await send(alice, joined, 'behind her back')
    await send(alice, other, 'still there')
    expect(bodyOf(await events.next())).toBe('still there')
  })

  it('of somebody who was out for a while has nothing of that while', async () => {
    const [one, other] = await twoConversations('dave')
    const events = await openInbox('dave', one)
    await send(alice, other, 'in')
    expect(bodyOf(await events.next())).toBe('in')
    const silence = vi.spyOn(here.services.signals, 'publish').mockImplementation(() => {})
    await alice.run(RemoveMemberDocument, { conversationId: other, userId: 'dave' })
    await send(alice, other, 'while he was out')
    await alice.run(AddMembersDocument, { conversationId: other, userIds: ['dave'] })
    silence.mockRestore()
    here.services.signals.publish('user:dave')
    await send(alice, other, 'in again')
    expect((await events.take(2)).map(bodyOf)).toEqual(['alice added dave', 'in again'])
  })

  it('has what was missed in a conversation that was joined while away, for who asks for that', async () => {
    const [one] = await twoConversations('ivan')
    const resume = [{ conversationId: one, after: await eventCursor(alice, one) }]
    const joined = await createConversation(alice, [])
    await send(alice, joined, 'before')
    await alice.run(AddMembersDocument, { conversationId: joined, userIds: ['ivan'] })
    await send(alice, joined, 'welcome')
    await send(alice, one, 'meanwhile')
    const ivan = await there.as('ivan')
    const from = ivan.subscribe(InboxEventsDocument, { resume, fromJoining: true })
    expect(bodiesOf(await from.take(3), joined)).toEqual(['alice added ivan', 'welcome'])
  })

  it('goes on after a conversation was deleted', async () => {
    const [one, other] = await twoConversations('erin')
    const events = await openInbox('erin', one)
    await alice.run(DeleteConversationDocument, { conversationId: one })
    await send(alice, other, 'goes on')
    expect(bodyOf(await events.next())).toBe('goes on')
  })

  it('goes on after a deleted conversation whose rows are gone before it has heard of it', async () => {
    const [one, other] = await twoConversations('heidi')
    const events = await openInbox('heidi', one)
    const silence = vi.spyOn(here.services.signals, 'publish').mockImplementation(() => {})
    await alice.run(DeleteConversationDocument, { conversationId: one })
    await runDueWork(here)
    silence.mockRestore()
    here.services.signals.publish(`conversation:${one}`)
    await send(alice, other, 'goes on')
    expect(bodyOf(await events.next())).toBe('goes on')
  })

  it('resumes in each conversation where it was left, with edits and deletions, and passes over one that is gone', async () => {
    const [one, other] = await twoConversations('frank')
    const gone = await createConversation(alice, ['frank'])
    const resume = [
      { conversationId: one, after: await eventCursor(alice, one) },
      { conversationId: gone, after: await eventCursor(alice, gone) }
    ]
    const first = await send(alice, one, 'first')
    const second = await send(alice, one, 'second')
    await send(alice, other, 'not asked for')
    resume[0] = { conversationId: one, after: await eventCursor(alice, one) }
    await alice.run(EditMessageDocument, { messageId: first.id, body: 'first, edited' })
    await alice.run(DeleteMessageDocument, { messageId: second.id })
    await send(alice, one, 'third')
    await alice.run(RemoveMemberDocument, { conversationId: gone, userId: 'frank' })
    const events = (await there.as('frank')).subscribe(InboxEventsDocument, { resume })
    expect((await events.take(3)).map(({ inboxEvents: { type, message } }) => [type, message.body])).toEqual([
      ['EDITED', 'first, edited'],
      ['DELETED', null],
      ['SENT', 'third']
    ])
  })

  it('hears of a joining whose signal is lost with the next poll', { timeout: 20_000 }, async () => {
    const [one] = await twoConversations('grace')
    const events = await openInbox('grace', one)
    const silence = vi.spyOn(here.services.signals, 'publish').mockImplementation(() => {})
    const joined = await createConversation(alice, [])
    await alice.run(AddMembersDocument, { conversationId: joined, userIds: ['grace'] })
    expect(bodyOf(await events.next())).toBe('alice added grace')
    silence.mockRestore()
  })

  it('that ends leaves no subscription to signals behind', async () => {
    const viewer = await here.services.authenticate(`Bearer ${await here.token('alice')}`)
    const released = vi.fn()
    const subscribed = vi.spyOn(here.services.signals, 'subscribe').mockImplementation(() => released)
    const stream = await inboxStream(here.services, viewer, [], null)
    await stream.return?.()
    expect(subscribed.mock.calls.length).toBeGreaterThan(2)
    expect(released).toHaveBeenCalledTimes(subscribed.mock.calls.length)
    vi.restoreAllMocks()
  })
})

async function twoConversations(member: string): Promise<[string, string]> {
  return [await createConversation(alice, [member]), await createConversation(alice, [member])]
}

/** On the other process, and seen to be live. */
async function openInbox(userId: string, live: string): Promise<Subscribed<InboxEventsSubscription>> {
  const after = await eventCursor(alice, live)
  const events = (await there.as(userId)).subscribe(InboxEventsDocument, { resume: [{ conversationId: live, after }] })
  await send(alice, live, 'live?')
  expect(bodyOf(await events.next())).toBe('live?')
  return events
}

function bodyOf({ inboxEvents }: InboxEventsSubscription): string | null {
  return inboxEvents.message.body
}

function bodiesOf(events: InboxEventsSubscription[], id: string): (string | null)[] {
  return events.filter(({ inboxEvents }) => inboxEvents.message.conversation.id === id).map(bodyOf)
}
