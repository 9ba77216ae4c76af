import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  DeleteConversationDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  LeaveConversationDocument,
  type MessageFieldsFragment,
  RemoveMemberDocument
} from '../../documents/generated.js'
import type { MessageEvent } from '../../src/delivery/conversation-log.js'
import { messageStream } from '../../src/delivery/message-stream.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { QuietSignals } from '../support/quiet-signals.js'
import { runDueWork } from '../support/worker-run.js'

/** A consumer that has taken the first of several events, while something happens to the rest. */

let conclave: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient
let id: string
let sent: MessageFieldsFragment[]
let events: AsyncIterableIterator<MessageEvent>
let wake: () => void

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  bob = await conclave.as('bob')
})
afterAll(() => conclave.close())

beforeEach(async () => {
  id = await createConversation(alice, ['bob'])
  sent = []
  for (const body of ['one', 'two', 'three']) sent.push(await send(alice, id, body))
  const viewer = await conclave.services.authenticate(`Bearer ${await conclave.token('bob')}`)
  const signals = new QuietSignals()
  wake = () => signals.wake(`conversation:${id}`)
  events = await messageStream({ ...conclave.services, signals }, viewer, id, 0, null)
  expect(await next()).toBe('SENT one')
})
afterEach(async () => {
  vi.restoreAllMocks()
  await events.return?.()
})

describe('a consumer that takes events slowly', () => {
  it.each([
    ['is removed', () => alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })],
    ['leaves', () => bob.run(LeaveConversationDocument, { conversationId: id })]
  ])('and %s meanwhile gets FORBIDDEN, and not the rest', async (_, change) => {
    await change()
    wake()
    await expect(events.next()).rejects.toMatchObject({ code: 'FORBIDDEN' })
    expect(await events.next()).toEqual({ done: true, value: undefined })
  })

  it('gets nothing more of a conversation that is deleted meanwhile', async () => {
    await alice.run(DeleteConversationDocument, { conversationId: id })
    wake()
    expect(await next()).toBeNull()
  })

  it('gets no FORBIDDEN where the rows of the deleted conversation are gone before it reads again', async () => {
    await alice.run(DeleteConversationDocument, { conversationId: id })
    await runDueWork(conclave)
    expect(await conclave.database.query('select from conversations where id = $1', [id])).toEqual([])
    wake()
    expect(await next()).toBeNull()
  })

  it('gets a message that is deleted meanwhile as deleted, and never its text', async () => {
    await alice.run(DeleteMessageDocument, { messageId: sent[1]?.id ?? '' })
    wake()
    expect([await next(), await next()]).toEqual(['SENT three', 'DELETED null'])
  })

  it('gets a message that is edited meanwhile in its present state, and never the old text', async () => {
    await alice.run(EditMessageDocument, { messageId: sent[1]?.id ?? '', body: 'two, edited' })
    wake()
    expect([await next(), await next()]).toEqual(['SENT three', 'SENT two, edited'])
  })

  it('gets the rest as it was, each message once, where nothing happened to it', async () => {
    wake()
    await send(bob, id, 'four')
    expect([await next(), await next(), await next()]).toEqual(['SENT two', 'SENT three', 'SENT four'])
  })

  it('and whose signal is lost gets FORBIDDEN all the same, when it takes longer than a poll', async () => {
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    const later = performance.now() + 6_000
    vi.spyOn(performance, 'now').mockReturnValue(later)
    await expect(events.next()).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })

  it('gets nothing more once its token has expired', async () => {
    conclave.clock.advance(13 * 60 * 60 * 1000)
    await expect(events.next()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    // For the tests that follow.
    alice = await conclave.as('alice')
    bob = await conclave.as('bob')
  })
})

/** The next event and what its message says, opened as for a subscriber; null at the end. */
async function next(): Promise<string | null> {
  const { done, value } = await events.next()
  if (done) return null
  const [opened] = await conclave.services.messageOpener.open([value.message])
  return `${value.type} ${opened?.body}`
}
