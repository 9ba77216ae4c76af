import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { sendMessage } from '../../src/message/send-message.js'
import { bootConclave, programEnvironment, type TestConclave } from '../support/boot.js'
import { createConversation } from '../support/chat.js'
import { openConnections } from '../support/open-connections.js'
import { InstalledProgram, type RunningProgram } from '../support/program.js'
import { RawSocket } from '../support/raw-socket.js'
import { isLong } from '../support/soak-length.js'

const SUBSCRIBERS = 500
/** Fewer where a slow machine has to have sent them before sockets that answer no ping are cut, after 24 seconds. */
const MESSAGES = isLong ? 50_000 : 10_000
/** Delivered to all of them before: what a server takes for its work alone does not count. */
const WARM = 400
/** Sequences of it all. */
const EVERYTHING = Array.from({ length: WARM + MESSAGES }, (_, index) => index + 1)
const BODY = 'x'.repeat(1000)
const GROWTH_MAX_BYTES = 100 * 1024 * 1024
const SENDERS = 64
const LONG = { timeout: 120_000, interval: 200 }

let conclave: TestConclave
let program: InstalledProgram
let server: RunningProgram
let url: string
let id: string
let token: string
const sockets: RawSocket[] = []

beforeAll(async () => {
  conclave = await bootConclave()
  id = await createConversation(await conclave.as('alice'), [])
  program = await InstalledProgram.built()
  server = program.startApi({ ...programEnvironment(conclave), PORT: '0', LOG_LEVEL: 'warn' })
  url = await server.ready()
  token = await conclave.token('alice')
}, 120_000)
afterAll(async () => {
  for (const socket of sockets) socket.terminate()
  await program.remove()
  await conclave.close()
}, 60_000)

describe(`${SUBSCRIBERS} subscribers that stop reading`, () => {
  it(`cost a server next to nothing, whatever they miss: here ${MESSAGES} messages`, { timeout: 600_000 }, async () => {
    while (sockets.length < SUBSCRIBERS) sockets.push(await follow(null))
    await sendMany(WARM)
    await vi.waitFor(() => expect(sockets.every(({ frames }) => frames.length > WARM)).toBe(true), LONG)
    for (const socket of sockets) socket.stopReading()
    const before = residentBytes()
    await sendMany(MESSAGES)
    expect(residentBytes() - before).toBeLessThan(GROWTH_MAX_BYTES)
    // One more may be kept alive by whoever asked whether the server is ready.
    expect(openConnections(url)).toBeGreaterThanOrEqual(SUBSCRIBERS)
  })

  it('get all of it over the same socket when they read on', { timeout: 300_000 }, async () => {
    const [stalled] = sockets
    stalled?.readOn()
    const all = () => eventsOf(stalled).map(({ message }) => message.sequence)
    await vi.waitFor(() => expect(stalled?.frames.length).toBeGreaterThan(WARM + MESSAGES), LONG)
    expect(all()).toEqual(EVERYTHING)
  })

  it('get all of it over another when they come back, from their cursor on', { timeout: 300_000 }, async () => {
    const [, stalled] = sockets
    const seen = eventsOf(stalled)
    const back = await follow(seen.at(-1)?.cursor ?? null)
    sockets.push(back)
    const all = () => [...seen, ...eventsOf(back)].map(({ message }) => message.sequence)
    await vi.waitFor(() => expect(all().at(-1)).toBe(WARM + MESSAGES), LONG)
    expect(all()).toEqual(EVERYTHING)
  })
})

interface Event {
  cursor: string
  message: { sequence: number }
}

async function follow(after: string | null): Promise<RawSocket> {
  const socket = await RawSocket.connect(url, token)
  const from = after === null ? '' : `, after: "${after}"`
  socket.subscribe(
    '1',
    `subscription { messageEvents(conversationId: "${id}"${from}) { cursor message { sequence body } } }`
  )
  return socket
}

function eventsOf(socket: RawSocket | undefined): Event[] {
  const results = socket?.frames.filter(({ type }) => type === 'next') ?? []
  return results.map(({ payload }) => (payload as { data: { messageEvents: Event } }).data.messageEvents)
}

/** By another process than the one that is measured. */
async function sendMany(count: number): Promise<void> {
  const viewer = await conclave.services.authenticate(`Bearer ${token}`)
  const draft = { conversationId: id, body: BODY, clientMessageId: null, replyToId: null }
  let left = count
  const sender = async () => {
    while (left-- > 0) await sendMessage(conclave.services, viewer, draft)
  }
  await Promise.all(Array.from({ length: SENDERS }, sender))
}

/** Of the server's process. */
function residentBytes(): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}
