import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, ServerResponse } from 'node:http'
import { print } from 'graphql'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { MessageEventsDocument, MessagesDocument, SendMessageDocument } from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, eventCursor, send } from '../support/chat.js'
import { EventStreamClient } from '../support/event-streams.js'
import type { GraphQLClient } from '../support/graphql-client.js'

/** Event streams whose client goes away, does not read, or hears nothing for long; and whose server stops. */

let conclave: TestConclave
let alice: GraphQLClient
let id: string
/** Where the conversation stood before anything was said. */
let after: string

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
})
beforeEach(async () => {
  id = await createConversation(alice, ['bob'])
  after = await eventCursor(alice, id)
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})
afterAll(() => conclave.close())

describe('a client that goes away', () => {
  it('from a quiet conversation leaves no listener behind', async () => {
    const listeners = countListeners()
    const response = await openStream()
    // One while it catches up, and then one for all who follow the conversation.
    await vi.waitFor(() => expect(listeners).toEqual({ begun: 2, ended: 1 }))
    response.destroy()
    await vi.waitFor(() => expect(listeners).toEqual({ begun: 2, ended: 2 }))
  })

  it('before its subscription has begun leaves none either', async () => {
    const listeners = countListeners()
    const heads = vi.spyOn(ServerResponse.prototype, 'writeHead')
    const reads = holdReads()
    const response = await openStream()
    await reads.begun
    const closed = once(heads.mock.contexts[0] as ServerResponse, 'close')
    response.destroy()
    await closed
    reads.release()
    // By the time of this answer whatever would have begun has begun.
    await send(alice, id, 'for whoever listens')
    expect(listeners.ended).toBe(listeners.begun)
  })
})

describe('a client that does not read', () => {
  it('holds its place in the log and no queue, and gets everything once it reads again', async () => {
    const count = 200
    const body = 'x'.repeat(60_000)
    for (let sent = 0; sent < count; sent += 20)
      await Promise.all(Array.from({ length: 20 }, () => send(alice, id, body)))
    const queued = watchQueue()
    const response = await openStream()
    await vi.waitFor(() => expect(queued.stream?.writableNeedDrain).toBe(true))
    // Whatever would go on regardless has the time to.
    for (let turn = 0; turn < 20; turn++) await alice.run(MessagesDocument, { id, last: 1 })
    expect(queued.stream?.writableNeedDrain).toBe(true)
    expect(queued.mostBytes).toBeLessThan(250_000)
    expect(await sequences(response, count)).toEqual(Array.from({ length: count }, (_, index) => index + 1))
    expect(queued.mostBytes).toBeLessThan(250_000)
  })
})

describe('a quiet stream', () => {
  it('begins with a comment and gets another every twelve seconds, so that no proxy cuts it', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const response = await openStream()
    expect(String((await once(response, 'data'))[0])).toBe(':\n\n')
    for (let comment = 0; comment < 2; comment++) {
      vi.advanceTimersByTime(12_000)
      expect(String((await once(response, 'data'))[0])).toBe(':\n\n')
    }
    response.destroy()
  })

  it('says that it must not be stored, changed or gathered on its way', async () => {
    const response = await openStream()
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no'
    })
    response.destroy()
  })
})

describe('a server that stops', () => {
  it('cuts its streams, which do not complete, and the next one goes on from the cursor', async () => {
    const events = await follow(after)
    await send(alice, id, 'before')
    const { messageEvents } = await events.next()
    const cut = expect(events.next()).rejects.toThrow()
    await conclave.restart()
    await cut
    await send(alice, id, 'after')
    const resumed = await (await follow(messageEvents.cursor)).next()
    expect(resumed.messageEvents.message.body).toBe('after')
  })

  it('finishes a query or mutation that is under way', async () => {
    const client = new EventStreamClient(conclave.url, await conclave.token('alice'))
    const { open } = conclave.services.messageOpener
    const [reached, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    vi.spyOn(conclave.services.messageOpener, 'open').mockImplementation(async (messages) => {
      reached.resolve()
      await held.promise
      return await open.call(conclave.services.messageOpener, messages)
    })
    const variables = { input: { conversationId: id, body: 'just in time' } }
    const results = client.all({ query: print(SendMessageDocument), variables })
    await reached.promise
    const restarted = conclave.restart()
    held.resolve()
    expect(await results).toMatchObject([{ data: { sendMessage: { message: { body: 'just in time' } } } }])
    await restarted
  })
})

async function follow(cursor: string) {
  const client = new EventStreamClient(conclave.url, await conclave.token('bob'))
  return client.subscribe(MessageEventsDocument, { conversationId: id, after: cursor })
}

/** Bob's stream from the beginning, as bytes that are read when the test says so. */
async function openStream(): Promise<IncomingMessage> {
  const request = httpRequest(`${conclave.url}/graphql/stream`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${await conclave.token('bob')}`
    }
  })
  request.on('error', () => {})
  request.end(JSON.stringify({ query: print(MessageEventsDocument), variables: { conversationId: id, after } }))
  const [response] = await once(request, 'response')
  return response.on('error', () => {})
}

function countListeners(): { begun: number; ended: number } {
  const listeners = { begun: 0, ended: 0 }
  vi.spyOn(conclave.services.signals, 'subscribe').mockImplementation(() => {
    listeners.begun++
    return () => listeners.ended++
  })
  return listeners
}

/** Has reads of the database wait. */
function holdReads(): { begun: Promise<void>; release(): void } {
  const [begun, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const run = conclave.services.database.run.bind(conclave.services.database)
  vi.spyOn(conclave.services.database, 'run').mockImplementation(async (statement, values) => {
    begun.resolve()
    await released.promise
    return (await run(statement, values)) as never[]
  })
  return { begun: begun.promise, release: released.resolve }
}

/** How much waits in the server for its client to read. */
function watchQueue(): { stream: ServerResponse | null; mostBytes: number } {
  const queued = { stream: null as ServerResponse | null, mostBytes: 0 }
  const { write } = ServerResponse.prototype
  vi.spyOn(ServerResponse.prototype, 'write').mockImplementation(function (this: ServerResponse, chunk: unknown) {
    queued.stream ??= this
    const hasRoom = write.call(this, chunk, 'utf8')
    if (queued.stream === this) queued.mostBytes = Math.max(queued.mostBytes, this.writableLength)
    return hasRoom
  })
  return queued
}

/** The sequences of so many events. */
async function sequences(response: IncomingMessage, count: number): Promise<number[]> {
  let text = ''
  const found = () => [...text.matchAll(/"sequence":(\d+)/g)].map(([, sequence]) => Number(sequence))
  for await (const chunk of response) {
    text += chunk
    if (text.length > count * 60_000 && found().length >= count) break
  }
  return found()
}
