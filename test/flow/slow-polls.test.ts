import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest'
import { AddMembersDocument, DeleteConversationDocument, RemoveMemberDocument } from '../../documents/generated.js'
import type { Activity } from '../../src/delivery/activity.js'
import { activityStream } from '../../src/delivery/activity-stream.js'
import type { MessageEvent } from '../../src/delivery/conversation-log.js'
import { inboxStream } from '../../src/delivery/inbox-stream.js'
import { type MembershipChange, membershipStream } from '../../src/delivery/membership-stream.js'
import type { Signals } from '../../src/delivery/signals.js'
import { POLL_MS } from '../../src/delivery/slow-poll.js'
import type { Viewer } from '../../src/identity/viewer.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { fillPool } from '../support/many-conversations.js'
import { StatementCounter } from '../support/statement-counter.js'

/** Streams of one process, which hears no signal: what the slow poll finds, and what it takes. */

type Inbox = AsyncIterableIterator<MessageEvent>
type Activities = AsyncIterableIterator<Activity>
type Changes = AsyncIterableIterator<MembershipChange>

let conclave: TestConclave
let alice: GraphQLClient
let counter: StatementCounter
let publish: Signals['publish']
let silence: MockInstance
const streams: (Inbox | Activities | Changes)[] = []

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  await fillPool(conclave, 60)
  counter = new StatementCounter()
})
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const { signals } = conclave.services
  publish = signals.publish.bind(signals)
  silence = vi.spyOn(signals, 'publish').mockImplementation(() => {})
})
afterEach(async () => {
  for (const stream of streams.splice(0)) await stream.return?.()
  silence.mockRestore()
  vi.useRealTimers()
})
afterAll(async () => {
  counter.close()
  await conclave.close()
})

/** Live in all that the user is in: nothing is read any more. */
async function openInbox(userId: string): Promise<Inbox> {
  const inbox = await inboxStream(conclave.services, await viewerOf(userId), [], null)
  streams.push(inbox)
  return inbox
}

async function openActivity(userId: string, conversationId: string): Promise<Activities> {
  const stream = await activityStream(conclave.services, await viewerOf(userId), conversationId)
  streams.push(stream)
  return stream
}

async function viewerOf(userId: string): Promise<Viewer> {
  return await conclave.services.authenticate(`Bearer ${await conclave.token(userId)}`)
}

/** Of one poll, and of what comes of it. */
async function pollStatements(): Promise<string[]> {
  const asked = vi.spyOn(conclave.services.database, 'run')
  const { statements } = await counter.during(async () => {
    poll()
    for (let seen = -1; seen < asked.mock.calls.length; ) {
      seen = asked.mock.calls.length
      await Promise.all(asked.mock.results.map(({ value }) => value))
      for (let turn = 0; turn < 20; turn++) await nextTurn()
    }
  })
  asked.mockRestore()
  return statements.sort()
}

function poll(): void {
  vi.advanceTimersByTime(POLL_MS)
}

describe('a poll for inboxes', () => {
  it('is one statement for the memberships of all inboxes, and one for the ends of all their conversations', async () => {
    const open = async (count: number) => {
      const names = Array.from({ length: count }, (_, index) => `of-${count}-${index}`)
      for (const name of names) await createConversation(alice, [name])
      await createConversation(alice, names)
      for (const name of [...names, ...names]) void (await openInbox(name)).next().catch(() => {})
    }
    await open(2)
    const ofFew = await pollStatements()
    await open(10)
    expect(await pollStatements()).toEqual(ofFew)
    expect(ofFew).toEqual(['digests-of-memberships', 'find-ends-of-logs'])
  })

  it('finds somebody removed, who gets nothing of what follows', async () => {
    const [left, stays] = [await createConversation(alice, ['bob']), await createConversation(alice, ['bob'])]
    const inbox = await openInbox('bob')
    const next = inbox.next()
    await alice.run(RemoveMemberDocument, { conversationId: left, userId: 'bob' })
    await send(alice, left, 'behind his back')
    await send(alice, stays, 'still there')
    poll()
    expect((await next).value.message).toMatchObject({ conversationId: stays, sequence: 1 })
  })

  it('finds a joining, also the first one of somebody who was in nothing', async () => {
    const next = (await openInbox('carol')).next()
    const id = await createConversation(alice, [])
    await alice.run(AddMembersDocument, { conversationId: id, userIds: ['carol'] })
    poll()
    expect((await next).value.message).toMatchObject({ conversationId: id, kind: 'SYSTEM' })
  })

  it('finds that somebody was out and is in again, and nothing comes twice that was read before it', async () => {
    const id = await createConversation(alice, ['dave'])
    const inbox = await openInbox('dave')
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'dave' })
    await send(alice, id, 'while he was out')
    await alice.run(AddMembersDocument, { conversationId: id, userIds: ['dave'] })
    publish(`conversation:${id}`)
    for (const sequence of [1, 2, 3]) expect((await inbox.next()).value.message).toMatchObject({ sequence })
    const next = inbox.next()
    expect(await pollStatements()).toContain('memberships-to-follow')
    expect(await pollStatements()).not.toContain('memberships-to-follow')
    await send(alice, id, 'in again')
    publish(`conversation:${id}`)
    expect((await next).value.message).toMatchObject({ conversationId: id, sequence: 4 })
  })

  it('goes on after one that has failed', async () => {
    const next = (await openInbox('erin')).next()
    const id = await createConversation(alice, [])
    await alice.run(AddMembersDocument, { conversationId: id, userIds: ['erin'] })
    const failing = vi.spyOn(conclave.services.database, 'run').mockRejectedValueOnce(new Error('no database'))
    poll()
    await vi.waitFor(() => expect(conclave.logged()).toContain('memberships could not be looked at'))
    failing.mockRestore()
    poll()
    expect((await next).value.message).toMatchObject({ conversationId: id })
  })

  it('is made for nobody once the last inbox is gone', async () => {
    const inbox = await openInbox('frank')
    await inbox.return?.()
    await inbox.return?.()
    expect(await pollStatements()).toEqual([])
  })

  it('goes on for the others of a user whose one inbox is gone', async () => {
    const [gone, other] = [await openInbox('heidi'), await openInbox('heidi')]
    const next = other.next()
    await gone.return?.()
    const id = await createConversation(alice, [])
    await alice.run(AddMembersDocument, { conversationId: id, userIds: ['heidi'] })
    poll()
    expect((await next).value.message).toMatchObject({ conversationId: id })
  })

  it('finds a deletion, and the others go on', async () => {
    const [deleted, stays] = [await createConversation(alice, ['grace']), await createConversation(alice, ['grace'])]
    const next = (await openInbox('grace')).next()
    await alice.run(DeleteConversationDocument, { conversationId: deleted })
    poll()
    await send(alice, stays, 'goes on')
    poll()
    expect((await next).value.message).toMatchObject({ conversationId: stays })
  })
})

describe('a poll for streams of memberships', () => {
  it('finds where somebody has come in', async () => {
    const stream = membershipStream(conclave.services, await viewerOf('mallory'), [])
    streams.push(stream)
    expect((await stream.next()).value).toEqual({ joined: [], left: [], read: [] })
    const next = stream.next()
    const created = await createConversation(alice, ['mallory'])
    poll()
    expect((await next).value).toEqual({ joined: [created], left: [], read: [] })
  })
})

describe('a poll for streams of activity', () => {
  it('is one statement for all of them', async () => {
    const open = async (count: number) => {
      for (let index = 0; index < count; index++) {
        const userId = `active ${count} ${index}`
        const id = await createConversation(alice, [userId])
        void (await openActivity(userId, id)).next().catch(() => {})
        void (await openActivity('alice', id)).next().catch(() => {})
      }
    }
    await open(2)
    expect(await pollStatements()).toEqual(['still-members'])
    await open(10)
    expect(await pollStatements()).toEqual(['still-members'])
  })

  it('ends that of somebody removed, and of nobody else', async () => {
    const id = await createConversation(alice, ['judy', 'kevin'])
    const [removed, stays] = [(await openActivity('judy', id)).next(), (await openActivity('kevin', id)).next()]
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'judy' })
    poll()
    await expect(removed).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'kevin' })
    poll()
    await expect(stays).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })

  it('completes those of a deleted conversation', async () => {
    const id = await createConversation(alice, ['laura'])
    const next = (await openActivity('laura', id)).next()
    await alice.run(DeleteConversationDocument, { conversationId: id })
    poll()
    expect(await next).toEqual({ done: true, value: undefined })
  })
})
