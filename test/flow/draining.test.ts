import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { SendMessageDocument } from '../../documents/generated.js'
import { sendMessage } from '../../src/message/send-message.js'
import { bootConclave, programEnvironment, type TestConclave } from '../support/boot.js'
import { createConversation } from '../support/chat.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { holdConversation, untilWaiting } from '../support/held-transaction.js'
import { InstalledProgram, type RunningProgram } from '../support/program.js'
import { RawSocket } from '../support/raw-socket.js'

/** An API process that a supervisor stops while it is at work. */

let conclave: TestConclave
let program: InstalledProgram
let server: RunningProgram
let url: string
let token: string
let id: string

beforeAll(async () => {
  conclave = await bootConclave()
  program = await InstalledProgram.built()
}, 120_000)
beforeEach(async () => {
  const alice = await conclave.as('alice')
  token = await conclave.token('alice')
  id = await createConversation(alice, [])
  server = program.startApi({ ...programEnvironment(conclave), PORT: '0' })
  url = await server.ready()
}, 30_000)
afterAll(async () => {
  await program.remove()
  await conclave.close()
})

describe('a server that gets SIGTERM', () => {
  it('finishes what is under way, sends subscribers elsewhere, takes nothing new, and ends with 0', async () => {
    const socket = await RawSocket.connect(url, token)
    socket.subscribe('1', `subscription { messageEvents(conversationId: "${id}") { cursor } }`)
    const held = await holdConversation(conclave.database, id)
    const sending = new GraphQLClient(url, token).execute(SendMessageDocument, {
      input: { conversationId: id, body: 'under way' }
    })
    await untilWaiting(conclave.database, 1)
    const closed = socket.closed()
    server.terminate()
    expect(await closed).toBe(1001)
    await vi.waitFor(async () => await expect(fetch(`${url}/healthz`)).rejects.toThrow())
    await held.commit()
    expect((await sending).data?.sendMessage.message.body).toBe('under way')
    expect((await server.finished()).code).toBe(0)
  })

  it('finishes what is under way over a socket as well, before it closes that one', async () => {
    const [socket, idle] = [await RawSocket.connect(url, token), await RawSocket.connect(url, token)]
    socket.subscribe('s', `subscription { messageEvents(conversationId: "${id}") { cursor } }`)
    const held = await holdConversation(conclave.database, id)
    socket.subscribe(
      'm',
      `mutation { sendMessage(input: { conversationId: "${id}", body: "under way" }) { message { body } } }`
    )
    await untilWaiting(conclave.database, 1)
    const [closed, idleClosed] = [socket.closed(), idle.closed()]
    server.terminate()
    expect(await idleClosed).toBe(1001)
    expect(socket.frames.filter(({ id }) => id === 'm')).toEqual([])
    await held.commit()
    expect(await closed).toBe(1001)
    expect(socket.frames.filter(({ id }) => id === 'm')).toEqual([
      { id: 'm', type: 'next', payload: { data: { sendMessage: { message: { body: 'under way' } } } } },
      { id: 'm', type: 'complete' }
    ])
    expect((await server.finished()).code).toBe(0)
  })

  it.each(['/graphql', '/graphql/stream'])(
    'waits for nobody who does not read the answer of %s',
    { timeout: 20_000 },
    async (path) => {
      const viewer = await conclave.services.authenticate(`Bearer ${token}`)
      const draft = { conversationId: id, body: 'x'.repeat(60_000), clientMessageId: null, replyToId: null }
      await Promise.all(Array.from({ length: 200 }, () => sendMessage(conclave.services, viewer, draft)))
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const request = httpRequest(url + path, { method: 'POST', headers })
      request.end(JSON.stringify({ query: `{ conversation(id: "${id}") { messages(last: 200) { nodes { body } } } }` }))
      const [response] = await once(request, 'response')
      response.on('error', () => {})
      // Twelve megabytes are on their way, of which the client takes none: it has had the head of them.
      if (path === '/graphql/stream') await once(response, 'readable')
      server.terminate()
      expect((await server.finished()).code).toBe(0)
    }
  )

  it('waits for no socket that does not read its answer', { timeout: 20_000 }, async () => {
    const viewer = await conclave.services.authenticate(`Bearer ${token}`)
    const draft = { conversationId: id, body: 'x'.repeat(60_000), clientMessageId: null, replyToId: null }
    await Promise.all(Array.from({ length: 200 }, () => sendMessage(conclave.services, viewer, draft)))
    const socket = await RawSocket.connect(url, token)
    socket.stopReading()
    const held = await holdConversation(conclave.database, id)
    socket.subscribe('q', `{ conversation(id: "${id}") { messages(last: 200) { nodes { body } } } }`)
    socket.subscribe('m', `mutation { sendMessage(input: { conversationId: "${id}", body: "x" }) { message { id } } }`)
    await untilWaiting(conclave.database, 1)
    server.terminate()
    await held.commit()
    expect((await server.finished()).code).toBe(0)
  })
})
