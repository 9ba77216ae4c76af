import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createConversation } from '../../src/conversation/create-conversation.js'
import { sendMessage } from '../../src/message/send-message.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { openConnections } from '../support/open-connections.js'
import { RawSocket } from '../support/raw-socket.js'

/** Clients that ask for much and read nothing: 64 MiB are kept for a user before the next operation, 128 in all. */

const MESSAGES = 200
/** Twice as long in JSON. */
const BODY = '"'.repeat(60_000)
/** Of 24 megabytes each, of which the buffers of both ends hold some: over the first bound, and over the second. */
const [MUCH, TOO_MUCH] = [5, 16]
const LONG = { timeout: 60_000, interval: 100 }

let conclave: TestConclave
let query: string
let token: string

beforeAll(async () => {
  conclave = await bootConclave()
  token = await conclave.token('alice')
  const viewer = await conclave.services.authenticate(`Bearer ${token}`)
  await conclave.services.users.see(viewer)
  const conversation = { title: null, memberIds: [], historyVisibility: 'FULL' as const, keyPolicy: null }
  const { id } = await createConversation(conclave.services, viewer, conversation)
  const draft = { conversationId: id, body: BODY, clientMessageId: null, replyToId: null }
  await Promise.all(Array.from({ length: MESSAGES }, () => sendMessage(conclave.services, viewer, draft)))
  query = `{ conversation(id: "${id}") { messages(last: ${MESSAGES}) { nodes { body } } } }`
}, 60_000)
beforeEach(async () => await untilAnswered(200))
afterAll(() => conclave.close())

describe('over WebSocket, a user who reads nothing', () => {
  const printed = vi.spyOn(console, 'error')
  afterAll(() => printed.mockRestore())

  it('is refused further operations over any transport, and gets all that was asked for before', LONG, async () => {
    const socket = await RawSocket.connect(conclave.url, token)
    socket.stopReading()
    for (let id = 1; id <= MUCH; id++) socket.subscribe(`${id}`, query)
    await untilAnswered(429)
    await expectRefused('/graphql')
    await expectRefused('/graphql/stream')
    expect((await ask('/graphql', await conclave.token('bob'))).status).toBe(200)
    socket.subscribe('more', '{ viewer { id } }')
    socket.readOn()
    await vi.waitFor(() => expect(typesOf(socket)).toMatchObject({ next: MUCH, complete: MUCH, error: 1 }), LONG)
    const refusal = socket.frames.find(({ type }) => type === 'error')
    expect(refusal).toMatchObject({ id: 'more', payload: [{ extensions: { code: 'RATE_LIMITED' } }] })
    socket.subscribe('again', '{ viewer { id } }')
    await vi.waitFor(() => expect(typesOf(socket).next).toBe(MUCH + 1), LONG)
    socket.terminate()
  })

  it('is refused them as well after a closing frame: what waits is still there', LONG, async () => {
    const socket = await RawSocket.connect(conclave.url, token)
    socket.stopReading()
    for (let id = 1; id <= MUCH; id++) socket.subscribe(`${id}`, query)
    await untilAnswered(429)
    socket.close()
    // The frame is read before the last of these.
    for (let count = 0; count < 5; count++) await expectRefused('/graphql')
    await untilAnswered(200)
    socket.terminate()
  })

  it('is cut where still more was asked for before, and what waited is given up', LONG, async () => {
    const socket = await RawSocket.connect(conclave.url, token)
    socket.stopReading()
    for (let id = 1; id <= TOO_MUCH; id++) socket.subscribe(`${id}`, query)
    await untilCut(socket)
    const closed = socket.closed()
    socket.readOn()
    expect(await closed).toBe(1006)
  })

  it('is cut for answers that nobody has to be signed in for, too', LONG, async () => {
    const socket = await RawSocket.connect(conclave.url, token)
    socket.stopReading()
    const payload = { text: 'x'.repeat(400_000) }
    const closed = socket.closed()
    for (let count = 0; count < 600; count++) socket.ping(payload)
    await untilCut(socket)
    socket.readOn()
    expect(await closed).toBe(1006)
    expect(printed).not.toHaveBeenCalled()
  })
})

describe('over HTTP, a user who reads nothing', () => {
  it('of many answers is refused further ones, and is served again after they are read', LONG, async () => {
    const answers = await Promise.all(Array.from({ length: MUCH }, () => askForMuch('/graphql')))
    await expectRefused('/graphql')
    await expectRefused('/graphql/stream')
    for (const answer of answers) answer.resume()
    await Promise.all(answers.map((answer) => once(answer, 'end')))
    expect((await ask('/graphql')).status).toBe(200)
  })

  it.each(['/graphql', '/graphql/stream'])('of still more at once over %s loses some of them', LONG, async (path) => {
    const answers = await Promise.all(Array.from({ length: TOO_MUCH }, () => askForMuch(path)))
    await vi.waitFor(() => expect(openConnections(conclave.url)).toBeLessThan(TOO_MUCH - 3), LONG)
    const ends = await Promise.all(answers.map(endOf))
    expect(ends).toContain('cut')
    const whole = ends.filter((end) => end === 'whole').length
    // What the buffers of both ends hold is not kept for anybody.
    expect(whole).toBeGreaterThan(128 / 24 - 1)
  })

  it('that sends request after request over one connection has ten of them executed at a time', LONG, async () => {
    const { port } = new URL(conclave.url)
    const head =
      'GET /graphql?query=%7Bviewer%7Bid%7D%7D HTTP/1.1\r\nhost: localhost\r\napollo-require-preflight: yes\r\n'
    const request = `${head}authorization: Bearer ${token}\r\n\r\n`
    const socket = connect(Number(port), '127.0.0.1')
    let text = ''
    socket.on('data', (data) => (text += data))
    socket.write(request.repeat(50))
    await vi.waitFor(() => expect(text.match(/HTTP\/1.1 /g)).toHaveLength(50), LONG)
    expect(text.match(/HTTP\/1.1 200/g)).toHaveLength(10)
    expect(text.match(/HTTP\/1.1 429/g)).toHaveLength(40)
    expect(text).toContain('"code":"RATE_LIMITED","retryAfterMs":1000')
    socket.destroy()
  })
})

async function ask(path: string, as = token): Promise<Response> {
  const headers = { authorization: `Bearer ${as}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ query: '{ viewer { id } }' })
  return await fetch(conclave.url + path, { method: 'POST', headers, body })
}

async function expectRefused(path: string): Promise<void> {
  const refusal = await ask(path)
  expect([refusal.status, refusal.headers.get('retry-after')]).toEqual([429, '1'])
  expect(await refusal.json()).toMatchObject({
    errors: [{ message: expect.stringContaining('unread'), extensions: { code: 'RATE_LIMITED', retryAfterMs: 1000 } }]
  })
}

async function untilAnswered(status: number): Promise<void> {
  await vi.waitFor(async () => expect((await ask('/graphql')).status).toBe(status), LONG)
}

/** By the server's end of it: a socket that is not read does not hear that it is closed. */
async function untilCut({ localPort }: RawSocket): Promise<void> {
  await vi.waitFor(() => expect(openConnections(conclave.url, localPort)).toBe(0), LONG)
}

/** @returns the answer, of which nothing is read unless somebody does */
async function askForMuch(path: string): Promise<IncomingMessage> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', connection: 'close' }
  const request = httpRequest(conclave.url + path, { method: 'POST', headers })
  request.on('error', () => {})
  request.end(JSON.stringify({ query }))
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response.on('error', () => {})
}

/** Reads on. */
async function endOf(answer: IncomingMessage): Promise<'whole' | 'refused' | 'cut'> {
  answer.resume()
  return await new Promise((resolve) => {
    answer.once('end', () => resolve(answer.statusCode === 200 ? 'whole' : 'refused'))
    answer.once('error', () => resolve('cut'))
  })
}

function typesOf({ frames }: RawSocket): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(frames, ({ type }) => type)].map(([type, some]) => [type, some.length]))
}
