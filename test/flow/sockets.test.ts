import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Client, createClient, type SubscribePayload } from 'graphql-ws'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import WebSocket from 'ws'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack } from '../support/chat.js'
import type { GraphQLErrorShape } from '../support/graphql-client.js'
import { openConnections } from '../support/open-connections.js'

let conclave: TestConclave
const sockets: Client[] = []

beforeAll(async () => {
  conclave = await bootConclave()
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) await socket.dispose()
})
afterAll(() => conclave.close())

describe('an upgrade request', () => {
  // What nobody catches here ends the server's process.
  const uncaught = vi.fn()
  beforeAll(() => void process.on('uncaughtException', uncaught))
  afterAll(() => void process.off('uncaughtException', uncaught))

  it.each(['//', '//x', '///graphql', '/%', '/graphql/', '*', 'http://'])(
    'to the target %s is answered with 404',
    async (target) => {
      const socket = await requestUpgrade(target)
      const [answer] = await once(socket, 'data')
      expect(String(answer)).toMatch(/^HTTP\/1\.1 404 /)
      socket.destroy()
      await expectServing()
    }
  )

  it('whose socket the client resets, before the answer or after it, leaves the server serving', async () => {
    for (const target of ['/elsewhere', '//', '/graphql']) {
      for (let count = 0; count < 10; count++) (await requestUpgrade(target)).resetAndDestroy()
    }
    for (let count = 0; count < 10; count++) {
      const socket = await requestUpgrade('/elsewhere')
      await once(socket, 'data')
      socket.resetAndDestroy()
    }
    await expectServing()
  })

  it('that is refused costs no file descriptor, however much the client sends and whether it ever closes', async () => {
    const before = openConnections(conclave.url)
    const clients = await Promise.all(
      [0, 300_000].flatMap((bytes) => Array.from({ length: 10 }, () => requestUpgrade('/elsewhere', 'x'.repeat(bytes))))
    )
    await vi.waitFor(() => expect(openConnections(conclave.url)).toBeLessThanOrEqual(before))
    for (const client of clients) client.destroy()
  })

  async function expectServing(): Promise<void> {
    expect((await fetch(`${conclave.url}/healthz`)).status).toBe(200)
    expect(uncaught).not.toHaveBeenCalled()
  }
})

describe('over an open socket whose token has expired', () => {
  it('no operation is run', async () => {
    const token = await conclave.token('alice')
    const id = await createConversation(await conclave.as('alice'), [])
    const socket = openSocket(conclave, token)
    expect(await resultOf(socket, { query: '{ viewer { id } }' })).toEqual({ data: { viewer: { id: 'alice' } } })
    conclave.clock.advance(13 * 60 * 60 * 1000)
    for (const payload of [
      { query: '{ viewer { id } }' },
      { query: `mutation { sendMessage(input: { conversationId: "${id}", body: "too late" }) { message { id } } }` },
      { query: `subscription { messageEvents(conversationId: "${id}") { cursor } }` }
    ]) {
      expect(await resultOf(socket, payload)).toEqual({
        errors: [{ message: 'The token has expired. Get a new one.', extensions: { code: 'UNAUTHENTICATED' } }]
      })
    }
    expect(await readBack(await conclave.as('alice'), id)).toEqual([])
  })
})

describe('over a socket in production', () => {
  let production: TestConclave
  beforeAll(async () => {
    production = await bootConclave({ mode: 'production' })
  })
  afterAll(() => production.close())

  it.each([
    '{ __schema { types { name } } }',
    '{ __type(name: "Query") { name } }',
    '{ viewr { id } }',
    '{ viewer { nme } }',
    '{ viewer { ... on Usr { id } } }',
    '{ conversations(frst: 1) { totalCount } }',
    'mutation { devTokn(userId: "x") { token } }',
    'mutation { setMemberRole(conversationId: "x", userId: "y", role: OWNR) { conversation { id } } }'
  ])('%s is refused as over HTTP, and no name of the schema is suggested', async (query) => {
    const socket = openSocket(production, await production.token('alice'))
    const overSocket = await resultOf(socket, { query })
    const { status: _, ...overHttp } = await (await production.as('alice')).post({ query })
    expect(overSocket).toEqual(overHttp)
    expect(new Set(overSocket.errors?.map(({ extensions }) => extensions.code))).toEqual(new Set(['BAD_USER_INPUT']))
    expect(JSON.stringify(overSocket)).not.toContain('Did you mean')
  })
})

describe('a socket', () => {
  it('stays open after a document that does not parse, which is refused as over HTTP', async () => {
    const socket = openSocket(conclave, await conclave.token('alice'))
    const alice = await conclave.as('alice')
    for (const query of ['{', 'query { viewer { id }', '{ viewer { id } }']) {
      const { status: _, ...overHttp } = await alice.post({ query })
      expect(await resultOf(socket, { query })).toEqual(overHttp)
    }
  })

  it('that cannot be admitted for a failure of our own closes with 4500 and says nothing internal', async () => {
    const failure = new Error('connection refused: insert into "users" ("id") values ($1), password hunter2')
    const see = vi.spyOn(conclave.services.users, 'see').mockRejectedValue(failure)
    const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
    const socket = new WebSocket(`${conclave.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
    await once(socket, 'open')
    const authorization = `Bearer ${await conclave.token('somebody new')}`
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }))
    const [code, reason] = await once(socket, 'close')
    expect([code, String(reason)]).toEqual([4500, 'Something went wrong on our side. Try again.'])
    expect(JSON.stringify(printed.mock.calls.flat().map(String))).not.toContain('insert into')
    expect(conclave.logged()).toContain('socket could not be admitted')
    see.mockRestore()
    printed.mockRestore()
  })
})

/** @param more that the client sends behind the request, without waiting for the answer */
async function requestUpgrade(target: string, more = ''): Promise<Socket> {
  const { hostname, port } = new URL(conclave.url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  const key = Buffer.alloc(16, 1).toString('base64')
  const headers = `Host: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}`
  const written = new Promise((resolve) => socket.write(`GET ${target} HTTP/1.1\r\n${headers}\r\n\r\n`, resolve))
  socket.write(more)
  await written
  return socket
}

function openSocket(to: TestConclave, token: string): Client {
  const socket = createClient({
    url: `${to.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    lazy: false,
    connectionParams: { authorization: `Bearer ${token}` }
  })
  sockets.push(socket)
  return socket
}

interface SocketResult {
  data?: unknown
  errors?: GraphQLErrorShape[]
}

/** What the operation gives, or the errors that it is refused with. */
async function resultOf(socket: Client, payload: SubscribePayload): Promise<SocketResult> {
  return await new Promise((resolve) => {
    let result: SocketResult = {}
    socket.subscribe(payload, {
      next: (next) => (result = next as SocketResult),
      error: (errors) => resolve({ errors: errors as GraphQLErrorShape[] }),
      complete: () => resolve(result)
    })
  })
}
