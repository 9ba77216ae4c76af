import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { CloseCode } from 'graphql-ws'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import WebSocket from 'ws'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation } from '../support/chat.js'
import { holdConversation } from '../support/held-transaction.js'

const PAGE = 'https://chat.example'
const LIMITS = {
  RATE_LIMITS: 'on',
  RATE_LIMIT_CONNECTIONS: '30/PT1M',
  SOCKETS_PER_USER: '2',
  OPERATIONS_PER_SOCKET: '3',
  ALLOWED_ORIGINS: PAGE,
  TRUSTED_PROXIES: 'loopback'
}

let conclave: TestConclave
const opened: WebSocket[] = []

beforeAll(async () => {
  conclave = await bootConclave({}, LIMITS)
})
afterEach(async () => {
  for (const socket of opened.splice(0)) {
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.terminate()
    if (socket.readyState !== WebSocket.CLOSED) await closed
  }
  conclave.clock.advance(60_000)
})
afterAll(() => conclave.close())

interface Opening {
  protocol?: string | string[]
  headers?: Record<string, string>
}

function open({ protocol = 'graphql-transport-ws', headers = {} }: Opening = {}): WebSocket {
  const socket = new WebSocket(`${conclave.url.replace('http', 'ws')}/graphql`, protocol, { headers })
  socket.on('error', () => {})
  opened.push(socket)
  return socket
}

/** @returns the status of the answer to the upgrade: 101 for one that was made */
async function statusOf(opening: Opening): Promise<number> {
  const socket = open(opening)
  return await new Promise((resolve) => {
    socket.once('open', () => resolve(101))
    socket.once('unexpected-response', (_, response) => resolve(response.statusCode ?? 0))
  })
}

async function signingIn(user: string): Promise<WebSocket> {
  const socket = open()
  await once(socket, 'open')
  const authorization = `Bearer ${await conclave.token(user)}`
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }))
  return socket
}

async function signedIn(user: string): Promise<WebSocket> {
  const socket = await signingIn(user)
  await Promise.race([once(socket, 'message'), once(socket, 'close')])
  return socket
}

/** @returns the reason that the socket closes for, which is one for trying again later */
async function refusalOf(user: string): Promise<unknown> {
  const [code, reason] = await once(await signingIn(user), 'close')
  expect(code).toBe(4429)
  return JSON.parse(String(reason))
}

async function openStream(user: string, query: string, signal: AbortSignal | null = null): Promise<Response> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${await conclave.token(user)}` }
  return await fetch(`${conclave.url}/graphql/stream`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ query }),
    signal
  })
}

describe('an upgrade is refused', () => {
  it.each([
    ['of a page of another origin', 403, { headers: { origin: 'https://evil.example' } }],
    ['of a page without an origin of its own', 403, { headers: { origin: 'null' } }],
    // What a browser sends for a page that has led its own name to this machine: its origin is then the server's.
    [
      'that was sent to another name than this machine’s, in development',
      421,
      { headers: { host: 'rebound.example', origin: 'http://rebound.example' } }
    ],
    ['that was sent to a name that only begins like it', 421, { headers: { host: 'localhost.rebound.example' } }],
    ['without a subprotocol', 400, { protocol: [] }],
    ['with the subprotocol of a former library', 400, { protocol: 'graphql-ws' }]
  ])('%s', async (_, status, opening) => {
    expect(await statusOf(opening)).toBe(status)
  })

  it('to another name only where the server makes tokens for whoever asks', async () => {
    const exposed = await bootConclave({ host: '0.0.0.0' })
    const url = exposed.url.replace('http', 'ws').replace('0.0.0.0', '127.0.0.1')
    const socket = new WebSocket(`${url}/graphql`, 'graphql-transport-ws', { headers: { host: 'chat.example' } })
    opened.push(socket)
    await once(socket, 'open')
    socket.terminate()
    await exposed.close()
  })

  it('to an address that has had too many, with 429, and to no other', async () => {
    const headers = { 'x-forwarded-for': '203.0.113.7' }
    expect(await statusOf({ headers, protocol: [] })).toBe(400)
    for (let count = 0; count < 30 * 20 - 1; count++)
      await conclave.services.rateLimits.addressWaitMs('CONNECTIONS', '203.0.113.7')
    expect(await statusOf({ headers })).toBe(429)
    expect(await statusOf({ headers, protocol: [] })).toBe(429)
    expect(await statusOf({ headers: { 'x-forwarded-for': '203.0.113.8' } })).toBe(101)
  })
})

describe('an upgrade is made', () => {
  it.each([
    ['of a page that is on the list', { origin: PAGE }],
    ['of the server’s own pages', { origin: 'http://localhost', host: 'localhost' }],
    ['of a client that is no browser', {}],
    ['that was sent to this machine, whatever it is called', { host: '[::1]:4000' }]
  ])('%s', async (_, headers) => {
    expect(await statusOf({ headers: headers as Record<string, string> })).toBe(101)
  })
})

describe('a user', () => {
  it('who has as many sockets as allowed gets no other, until one is closed', async () => {
    const [first] = [await signedIn('alice'), await signedIn('alice')]
    expect(await refusalOf('alice')).toEqual({ code: 'RATE_LIMITED', retryAfterMs: 1000 })
    expect((await signedIn('bob')).readyState).toBe(WebSocket.OPEN)
    first?.close()
    await vi.waitFor(async () => expect((await signedIn('alice')).readyState).toBe(WebSocket.OPEN))
  })

  it('who has as many sockets and event streams as allowed gets no other of either, until one has ended', async () => {
    const id = await createConversation(await conclave.as('grace'), [])
    const query = `subscription { messageEvents(conversationId: "${id}") { cursor } }`
    await signedIn('grace')
    const client = new AbortController()
    expect((await openStream('grace', query, client.signal)).status).toBe(200)
    const refused = await openStream('grace', query)
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({
      errors: [{ extensions: { code: 'RATE_LIMITED', retryAfterMs: 1000 } }]
    })
    expect(await refusalOf('grace')).toEqual({ code: 'RATE_LIMITED', retryAfterMs: 1000 })
    client.abort()
    await vi.waitFor(async () => expect((await signedIn('grace')).readyState).toBe(WebSocket.OPEN))
  })

  it('who opens sockets too often is told when to try again', async () => {
    const viewer = await conclave.services.authenticate(`Bearer ${await conclave.token('heidi')}`)
    for (let count = 0; count < 30; count++) await conclave.services.rateLimits.require('CONNECTIONS', viewer, null)
    // Thirty in a minute are one in two seconds.
    expect(await refusalOf('heidi')).toEqual({ code: 'RATE_LIMITED', retryAfterMs: 2000 })
  })

  it('who opens a socket and says nothing is cut off', { timeout: 30_000 }, async () => {
    const socket = open()
    const [code] = await once(socket, 'close')
    expect(code).toBe(CloseCode.ConnectionInitialisationTimeout)
  })
})

describe('a peer that does not answer', () => {
  it('to pings is cut off', { timeout: 60_000 }, async () => {
    const socket = new WebSocket(`${conclave.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      autoPong: false
    })
    opened.push(socket)
    await once(socket, 'open')
    const authorization = `Bearer ${await conclave.token('erin')}`
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }))
    const [code] = await once(socket, 'close')
    expect(code).toBe(1006)
  })
})

describe('over one socket', () => {
  it('an operation whose id is too long to be kept is refused', async () => {
    const socket = await signedIn('carol')
    const query = '{ viewer { id } }'
    for (const length of [129, 128]) {
      socket.send(JSON.stringify({ id: 'i'.repeat(length), type: 'subscribe', payload: { query } }))
    }
    const frames: { id: string; type: string; payload: unknown }[] = []
    socket.on('message', (data) => frames.push(JSON.parse(String(data))))
    await vi.waitFor(() => expect(frames.map(({ type }) => type)).toContain('complete'))
    expect(frames[0]).toMatchObject({
      type: 'error',
      payload: [{ extensions: { code: 'BAD_USER_INPUT', field: 'id' } }]
    })
    expect(frames[1]).toMatchObject({ id: 'i'.repeat(128), type: 'next' })
  })

  it('no more operations are under way than allowed, and another when one has ended', async () => {
    const id = await createConversation(await conclave.as('carol'), [])
    const socket = await signedIn('carol')
    const frames: { id: string; type: string; payload?: { extensions: { code: string } }[] }[] = []
    socket.on('message', (data) => frames.push(JSON.parse(String(data))))
    const query = `subscription { messageEvents(conversationId: "${id}") { cursor } }`
    const subscribe = (name: string) => socket.send(JSON.stringify({ id: name, type: 'subscribe', payload: { query } }))
    for (const name of ['1', '2', '3', '4']) subscribe(name)
    await vi.waitFor(() => expect(frames).toHaveLength(1))
    expect(frames[0]).toMatchObject({ id: '4', type: 'error', payload: [{ extensions: { code: 'RATE_LIMITED' } }] })
    socket.send(JSON.stringify({ id: '1', type: 'complete' }))
    subscribe('5')
    subscribe('6')
    await vi.waitFor(() => expect(frames.map((frame) => frame.id)).toContain('6'))
    expect(frames.map((frame) => frame.id)).not.toContain('5')
  })

  it('an operation that the client has completed takes up its room and its id for as long as it is executed', async () => {
    const id = await createConversation(await conclave.as('frank'), [])
    const socket = await signedIn('frank')
    const frames: { id: string; type: string; payload?: { extensions: { code: string } }[] }[] = []
    socket.on('message', (data) => frames.push(JSON.parse(String(data))))
    const query = `mutation { sendMessage(input: { conversationId: "${id}", body: "x" }) { message { id } } }`
    const send = (name: string) => socket.send(JSON.stringify({ id: name, type: 'subscribe', payload: { query } }))
    const held = await holdConversation(conclave.database, id)
    for (const name of ['1', '2', '3']) {
      send(name)
      socket.send(JSON.stringify({ id: name, type: 'complete' }))
    }
    send('4')
    send('1')
    await vi.waitFor(() => expect(frames).toHaveLength(2))
    expect(frames).toMatchObject([
      { id: '4', type: 'error', payload: [{ extensions: { code: 'RATE_LIMITED', retryAfterMs: 1000 } }] },
      { id: '1', type: 'error', payload: [{ extensions: { code: 'CONFLICT' } }] }
    ])
    await held.commit()
    await vi.waitFor(() => {
      send(randomUUID())
      expect(frames.map(({ type }) => type)).toContain('complete')
    })
  })

  it('a frame over the limit of size ends it with 1009, and fills nobody’s console', async () => {
    const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
    const socket = await signedIn('dave')
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: 'x'.repeat(1_000_000) } }))
    const [code] = await once(socket, 'close')
    expect(code).toBe(1009)
    expect(printed).not.toHaveBeenCalled()
    printed.mockRestore()
  })
})
