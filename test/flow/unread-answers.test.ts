import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createConversation } from '../../src/conversation/create-conversation.js'
import { sendMessage } from '../../src/message/send-message.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { openConnections } from '../support/open-connections.js'

const MAX_CONNECTIONS = 8
/** More than the buffers of both ends hold. */
const MESSAGES = 200
const BODY = 'x'.repeat(60_000)
const LONG = { timeout: 20_000 }

let conclave: TestConclave
let id: string
let token: string

beforeAll(async () => {
  const variables = { RESPONSE_TIMEOUT: 'PT1S', MAX_CONNECTIONS: `${MAX_CONNECTIONS}` }
  conclave = await bootConclave({}, variables)
  token = await conclave.token('alice')
  const viewer = await conclave.services.authenticate(`Bearer ${token}`)
  await conclave.services.users.see(viewer)
  // Not over HTTP: connections are counted here, and that one would stay open.
  const conversation = { title: null, memberIds: [], historyVisibility: 'FULL' as const, keyPolicy: null }
  id = (await createConversation(conclave.services, viewer, conversation)).id
  const draft = { conversationId: id, body: BODY, clientMessageId: null, replyToId: null }
  await Promise.all(Array.from({ length: MESSAGES }, () => sendMessage(conclave.services, viewer, draft)))
}, 60_000)
afterAll(() => conclave.close())

/** Asks for twelve megabytes. @returns the answer, of which nothing is read unless somebody does */
async function askForMuch(path: string): Promise<IncomingMessage> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', connection: 'close' }
  const request = httpRequest(conclave.url + path, { method: 'POST', headers })
  request.on('error', () => {})
  request.end(JSON.stringify({ query: `{ conversation(id: "${id}") { messages(last: 200) { nodes { body } } } }` }))
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.on('error', () => {})
  return response
}

describe.each(['/graphql', '/graphql/stream'])('a client of %s', (path) => {
  it('that reads nothing of its answer is cut off', { timeout: 30_000 }, async () => {
    await untilConnections(0)
    const response = await askForMuch(path)
    expect(openConnections(conclave.url)).toBe(1)
    await untilConnections(0)
    response.destroy()
  })

  it('that reads slowly gets all of it, also when that takes longer', { timeout: 30_000 }, async () => {
    const response = await askForMuch(path)
    let bytes = 0
    const taking = setInterval(
      () => (bytes += response.read(Math.min(response.readableLength, 64 * 1024))?.length ?? 0),
      8
    )
    await once(response, 'end')
    clearInterval(taking)
    expect(bytes).toBeGreaterThan(MESSAGES * BODY.length)
  })
})

describe('a connection', () => {
  it('beyond the most that there may be is closed at once, and one in its place is served', async () => {
    await untilConnections(0)
    const others = await Promise.all(Array.from({ length: MAX_CONNECTIONS }, connected))
    const refused = await connected()
    refused.resume()
    await once(refused, 'close')
    expect(conclave.logged()).toContain('MAX_CONNECTIONS are open')
    for (const socket of others) socket.destroy()
    await vi.waitFor(async () => expect((await fetch(`${conclave.url}/healthz`)).status).toBe(200), LONG)
  })
})

async function untilConnections(count: number): Promise<void> {
  await vi.waitFor(() => expect(openConnections(conclave.url)).toBe(count), LONG)
}

async function connected(): Promise<Socket> {
  const socket = connect(Number(new URL(conclave.url).port), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}
