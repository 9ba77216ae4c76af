import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { MessageEventsDocument, type MessageEventsSubscription, MessagesDocument } from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import type { GraphQLClient, Subscribed } from '../support/graphql-client.js'

/** Alice and Bob are on two processes, which have nothing in common but their database. */

let here: TestConclave
let there: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient

/** Less than the poll, which brings after five seconds what no signal has brought. */
const BEFORE_THE_POLL = { timeout: 4_000 }

beforeAll(async () => {
  here = await bootConclave()
  there = await bootConclave({ databaseUrl: here.database.url })
  alice = await here.as('alice')
  bob = await there.as('bob')
})
afterAll(async () => {
  await there.close()
  await here.close()
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('a message', () => {
  it('arrives at once at a subscriber of another process, in both directions', BEFORE_THE_POLL, async () => {
    const id = await createConversation(alice, ['bob'])
    const [atBobs, atAlices] = [await followLive(bob, id), await followLive(alice, id)]
    await atBobs.next()
    for (const sender of [alice, bob]) {
      await send(sender, id, 'across')
      expect([bodyOf(await atBobs.next()), bodyOf(await atAlices.next())]).toEqual(['across', 'across'])
    }
  })

  it('of which the signal is lost arrives with the next poll', { timeout: 20_000 }, async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(bob, id)
    const publish = vi.spyOn(here.services.signals, 'publish').mockImplementation(() => {})
    await send(alice, id, 'without a signal')
    expect(bodyOf(await events.next())).toBe('without a signal')
    expect(publish).toHaveBeenCalled()
  })

  it('arrives although PostgreSQL has just dropped the connections that listen', BEFORE_THE_POLL, async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(bob, id)
    await untilListening()
    await dropListeners()
    await send(alice, id, 'unheard')
    expect(bodyOf(await events.next())).toBe('unheard')
  })

  it('arrives at once again when the connections are back', { timeout: 10_000 }, async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(bob, id)
    await dropListeners()
    await untilListening()
    const begun = performance.now()
    for (const body of ['heard', 'heard again']) {
      await send(alice, id, body)
      expect(bodyOf(await events.next())).toBe(body)
    }
    expect(performance.now() - begun).toBeLessThan(BEFORE_THE_POLL.timeout)
  })
})

describe('two hundred messages of which half the signals are lost, others late, twice, or out of order', () => {
  it('arrive all the same, each once and in order, before the next poll but one', { timeout: 30_000 }, async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(bob, id)
    const { signals } = here.services
    const publish = signals.publish.bind(signals)
    let signalled = 0
    vi.spyOn(signals, 'publish').mockImplementation((topic) => {
      const turn = signalled++ % 4
      if (turn < 2) return
      setTimeout(() => publish(topic), turn * 20)
      publish(topic)
    })
    const bodies = Array.from({ length: 200 }, (_, index) => `message ${index}`)
    for (const body of bodies) await send(alice, id, body)
    const sentAt = performance.now()
    const arrived = await events.take(bodies.length)
    expect(arrived.map(bodyOf)).toEqual(bodies)
    expect(performance.now() - sentAt).toBeLessThan(6_000)
  })
})

const LISTENERS = `from pg_stat_activity where application_name = 'conclave signals' and datname = current_database()`

/** Settles once each of the two processes has its connection for signals, and listens. */
async function untilListening(): Promise<void> {
  const text = `select ${LISTENERS} and state = 'idle' and query <> ''`
  await vi.waitFor(async () => expect(await here.database.query(text)).toHaveLength(2), { timeout: 4_000 })
}

async function dropListeners(): Promise<void> {
  await here.database.query(`select pg_terminate_backend(pid, 2000) ${LISTENERS}`)
}

/** Subscribes from now on, and waits until the subscription is seen to be live. */
async function followLive(client: GraphQLClient, id: string): Promise<Subscribed<MessageEventsSubscription>> {
  const { conversation } = await client.run(MessagesDocument, { id, last: 1 })
  const events = client.subscribe(MessageEventsDocument, {
    conversationId: id,
    after: conversation?.eventCursor ?? null
  })
  await send(client, id, 'live?')
  expect(bodyOf(await events.next())).toBe('live?')
  return events
}

function bodyOf({ messageEvents }: MessageEventsSubscription): string | null {
  return messageEvents.message.body
}
