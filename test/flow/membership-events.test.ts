import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  AddMembersDocument,
  DeleteConversationDocument,
  LeaveConversationDocument,
  MarkReadDocument,
  MembershipEventsDocument,
  type MembershipEventsSubscription,
  RemoveMemberDocument
} from '../../documents/generated.js'
import { membershipStream } from '../../src/delivery/membership-stream.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import type { GraphQLClient, Subscribed } from '../support/graphql-client.js'

let here: TestConclave
let there: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient
let users = 0
let userId: string

beforeAll(async () => {
  here = await bootConclave()
  there = await bootConclave({ databaseUrl: here.database.url })
  await here.workerServices.keySupply.refill(20)
  alice = await here.as('alice')
})
beforeEach(async () => {
  users += 1
  userId = `bob-${users}`
  bob = await there.as(userId)
})
afterAll(async () => {
  await there.close()
  await here.close()
})

describe('the events of memberships', () => {
  it('refuse what is not the id of a conversation', async () => {
    const refused = bob.subscribe(MembershipEventsDocument, { known: ['nonsense'] })
    expect(await refused.ended).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'known' } }])
  })

  it('say at once in which of the known conversations one is not any more, and nothing of others', async () => {
    const [still, left, deleted] = await Promise.all([1, 2, 3].map(() => createConversation(alice, [userId])))
    const foreign = await createConversation(alice, [])
    await bob.run(LeaveConversationDocument, { conversationId: left ?? '' })
    await alice.run(DeleteConversationDocument, { conversationId: deleted ?? '' })
    const known = [still, left, deleted, left, foreign].map((id) => id ?? '')
    const events = bob.subscribe(MembershipEventsDocument, { known })
    expect(await nextOf(events)).toEqual({ joined: [], left: [left, deleted, foreign], read: [] })
  })

  it('say where one comes in, by an empty conversation as by an addition, and where one goes out', async () => {
    const other = await createConversation(alice, [])
    const events = await open()
    const created = await createConversation(alice, [userId])
    expect(await nextOf(events)).toEqual({ joined: [created], left: [], read: [] })
    await alice.run(AddMembersDocument, { conversationId: other, userIds: [userId] })
    expect(await nextOf(events)).toEqual({ joined: [other], left: [], read: [] })
    await alice.run(RemoveMemberDocument, { conversationId: other, userId })
    expect(await nextOf(events)).toEqual({ joined: [], left: [other], read: [] })
    await bob.run(LeaveConversationDocument, { conversationId: created })
    expect(await nextOf(events)).toEqual({ joined: [], left: [created], read: [] })
  })

  it('say by the signal of it that a conversation was deleted, before any poll', async () => {
    const poll = vi.spyOn(there.services.memberships, 'watchAll').mockReturnValue(() => {})
    const deleted = await createConversation(alice, [userId])
    const events = await open()
    poll.mockRestore()
    await alice.run(DeleteConversationDocument, { conversationId: deleted })
    expect(await nextOf(events)).toEqual({ joined: [], left: [deleted], read: [] })
  })

  it('say of one who was out and is in again that they have joined', async () => {
    const conversationId = await createConversation(alice, [userId])
    const events = await open()
    const silence = vi.spyOn(here.services.signals, 'publish').mockImplementation(() => {})
    await alice.run(RemoveMemberDocument, { conversationId, userId })
    await alice.run(AddMembersDocument, { conversationId, userIds: [userId] })
    silence.mockRestore()
    here.services.signals.publish(`user:${userId}`)
    expect(await nextOf(events)).toEqual({ joined: [conversationId], left: [], read: [] })
  })

  it('say what was read in another window, and nothing of conversations that one is not in', async () => {
    const conversationId = await createConversation(alice, [userId])
    await send(alice, conversationId, 'Good morning.')
    const events = await open()
    here.services.signals.publish(`marks:${userId}`, await createConversation(alice, []))
    here.services.signals.publish(`marks:${userId}`, 'nonsense')
    await alice.run(MarkReadDocument, { conversationId, sequence: 1 })
    const elsewhere = await here.as(userId)
    await elsewhere.run(MarkReadDocument, { conversationId, sequence: 1 })
    expect(await nextOf(events)).toEqual({ joined: [], left: [], read: [conversationId] })
  })

  it('end with the token', async () => {
    const viewer = await here.services.authenticate(`Bearer ${await here.token('alice')}`)
    const stream = membershipStream(here.services, { ...viewer, expiresAt: here.clock.now() }, [])
    await expect(stream.next()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  it('that end leave no subscription to signals behind', async () => {
    const viewer = await here.services.authenticate(`Bearer ${await here.token('alice')}`)
    const released = vi.fn()
    const signals = vi.spyOn(here.services.signals, 'subscribe').mockReturnValue(released)
    const poll = vi.spyOn(here.services.memberships, 'watchAll').mockReturnValue(released)
    await membershipStream(here.services, viewer, []).return?.()
    expect(released).toHaveBeenCalledTimes(3)
    for (const spy of [signals, poll]) spy.mockRestore()
  })
})

/** Past the first event: what happens from now on is told. */
async function open(): Promise<Subscribed<MembershipEventsSubscription>> {
  const events = bob.subscribe(MembershipEventsDocument, {})
  expect(await nextOf(events)).toEqual({ joined: [], left: [], read: [] })
  return events
}

async function nextOf(events: Subscribed<MembershipEventsSubscription>) {
  return (await events.next()).membershipEvents
}
