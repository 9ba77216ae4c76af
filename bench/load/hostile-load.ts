import { once } from 'node:events'
import { Pool } from 'undici'
import { WebSocket } from 'ws'
import { answerCalls } from '../answer-calls.js'
import { HostileDocuments } from '../hostile-documents.js'

/** Sends hostile documents at an even pace, whether they are answered or not: over HTTP and one WebSocket by turns. */

export interface HostileTarget {
  /** Of GraphQL over HTTP; the socket goes to the same address. */
  url: string
  token: string
  seed: string
  perSecond: number
}

export interface HostileLoad {
  sent: number
  /** From each start to its stop. */
  sendingMs: number
  /** Answered with a fault of the server's own, or not at all. */
  faults: number
  /** Of a sender who had had too many refused before. */
  unseen: number
}

let target: HostileTarget
let documents: HostileDocuments
let pool: Pool
let socket: WebSocket
let timer: NodeJS.Timeout | undefined
let startedAt = 0
let sendingMs = 0
let sent = 0
let faults = 0
let unseen = 0
const underWay = new Set<Promise<void>>()
/** Operations on the socket that were not answered yet. */
const asked = new Map<string, PromiseWithResolvers<void>>()

answerCalls({
  async aim(aimed: HostileTarget) {
    target = aimed
    documents = new HostileDocuments(aimed.seed)
    pool = new Pool(new URL(aimed.url).origin)
    socket = new WebSocket(aimed.url.replace('http', 'ws'), 'graphql-transport-ws', { perMessageDeflate: false })
    await once(socket, 'open')
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${aimed.token}` } }))
    await once(socket, 'message')
    socket.on('message', (data) => settle(String(data)))
    socket.on('close', () => {
      for (const { reject } of asked.values()) reject(new Error('the socket was closed'))
    })
  },
  start() {
    startedAt = performance.now()
    const before = sent
    timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * target.perSecond)
      while (sent - before < due) sendNext()
    }, 1)
  },
  /** Waits for the answers that are still to come. */
  async stop(): Promise<HostileLoad> {
    clearInterval(timer)
    sendingMs += performance.now() - startedAt
    await Promise.all(underWay)
    return { sent, sendingMs, faults, unseen }
  }
})

function sendNext(): void {
  const { kind: _, expected: __, ...request } = documents.next()
  const done = (sent++ % 2 === 0 ? overHttp(request) : overSocket(request)).catch(() => void faults++)
  underWay.add(done)
  void done.then(() => underWay.delete(done))
}

async function overHttp(request: object): Promise<void> {
  const { statusCode, body } = await pool.request({
    method: 'POST',
    path: '/graphql',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${target.token}` },
    body: JSON.stringify(request)
  })
  await body.dump()
  if (statusCode >= 500) faults++
  if (statusCode === 429) unseen++
}

async function overSocket(payload: object): Promise<void> {
  const answer = Promise.withResolvers<void>()
  const id = String(sent)
  asked.set(id, answer)
  socket.send(JSON.stringify({ id, type: 'subscribe', payload }))
  await answer.promise
}

function settle(frame: string): void {
  const { id, type } = JSON.parse(frame) as { id?: string; type: string }
  if (type === 'ping') socket.send('{"type":"pong"}')
  if (frame.includes('"INTERNAL"')) faults++
  if (frame.includes('"RATE_LIMITED"')) unseen++
  if (id === undefined || type === 'next') return
  asked.get(id)?.resolve()
  asked.delete(id)
}
