import { once } from 'node:events'
import { request } from 'undici'
import { type RawData, WebSocket } from 'ws'
import { answerCalls } from '../answer-calls.js'
import { FRESH_ID, type Request } from '../operations.js'

/**
 * Subscribers of the graphql-transport-ws protocol, with no more client around a socket than counting needs. Each event
 * must come to each of them once and in order.
 */

export interface Subscriptions {
  /** Of GraphQL over HTTP; the sockets go to the same address. */
  url: string
  query: string
  subscribers: { token: string; conversationId: string }[]
}

export interface Deliveries {
  perSecond: number
  events: number
  /** The text of one frame. */
  frame: string
}

const CONNECTING_AT_ONCE = 50
const LIVE_TRY_MS = 2_000
const LIVE_MS = 90_000
const SEQUENCE = '"sequence":'

let url: string
const sockets: WebSocket[] = []
/** Sequence of the last event that each socket was sent. */
let latest: Int32Array
/** How many have received each event, until all have. */
const received = new Map<number, { count: number; all: PromiseWithResolvers<void> }>()
let failure: string | null = null
let lastFrame = ''

answerCalls({
  async open({ url: to, query, subscribers }: Subscriptions) {
    url = to
    latest = new Int32Array(subscribers.length)
    const waiting = [...subscribers.entries()]
    const connectInTurn = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [index, { token, conversationId }] = next
        sockets[index] = await subscribe(index, token, { query, variables: { conversationId } })
      }
    }
    await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, connectInTurn))
  },
  /** Sends until everybody has received something: the protocol does not tell when a subscription has begun. */
  async untilLive(requests: Request[]) {
    const begin = performance.now()
    while (latest.includes(0)) {
      if (performance.now() - begin > LIVE_MS)
        throw new Error(`${latest.filter((n) => n === 0).length} receive nothing`)
      for (const one of requests) await send(one)
      for (let waited = 0; waited < LIVE_TRY_MS && latest.includes(0); waited += 50) {
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      check()
    }
  },
  /** All are in one conversation: so many events at once are on their way to them. */
  async deliver({ request: one, atOnce, ms }: { request: Request; atOnce: number; ms: number }): Promise<Deliveries> {
    const begin = performance.now()
    let events = 0
    const sendInTurn = async () => {
      while (performance.now() - begin < ms) {
        await everybodyHas(await send(one))
        events++
      }
    }
    await Promise.all(Array.from({ length: atOnce }, sendInTurn))
    check()
    const seconds = (performance.now() - begin) / 1000
    return { perSecond: (events * sockets.length) / seconds, events, frame: lastFrame }
  },
  close() {
    for (const socket of sockets) socket.terminate()
  }
})

async function subscribe(index: number, token: string, payload: object): Promise<WebSocket> {
  const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws', { perMessageDeflate: false })
  socket.on('close', (code, reason) => fail(`a socket was closed with ${code} ${reason}`))
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }))
  await once(socket, 'message')
  socket.on('message', (data) => note(index, data))
  socket.send(JSON.stringify({ id: crypto.randomUUID(), type: 'subscribe', payload }))
  return socket
}

function note(index: number, data: RawData): void {
  lastFrame = (data as Buffer).toString('latin1')
  const found = lastFrame.indexOf(SEQUENCE)
  if (found === -1) {
    if (lastFrame.startsWith('{"type":"ping"')) sockets[index]?.send('{"type":"pong"}')
    else fail(`no event: ${lastFrame.slice(0, 500)}`)
    return
  }
  const sequence = Number.parseInt(lastFrame.slice(found + SEQUENCE.length, found + SEQUENCE.length + 10), 10)
  const before = latest[index] ?? 0
  if (before !== 0 && sequence !== before + 1) fail(`event ${sequence} came after ${before}`)
  latest[index] = sequence
  const state = stateOf(sequence)
  if (++state.count < latest.length) return
  state.all.resolve()
  received.delete(sequence)
}

function stateOf(sequence: number): { count: number; all: PromiseWithResolvers<void> } {
  const known = received.get(sequence)
  if (known) return known
  const state = { count: 0, all: Promise.withResolvers<void>() }
  received.set(sequence, state)
  return state
}

async function everybodyHas(sequence: number): Promise<void> {
  // What everybody had before its sender was answered is forgotten already.
  if (latest.every((last) => last >= sequence)) return
  await stateOf(sequence).all.promise
}

/** @returns the sequence of the message */
async function send(one: Request): Promise<number> {
  const response = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${one.token}` },
    body: one.body.replace(FRESH_ID, () => crypto.randomUUID())
  })
  const text = await response.body.text()
  const sequence = /"sequence":(\d+)/.exec(text)?.[1]
  if (sequence === undefined) throw new Error(`refused: ${text.slice(0, 500)}`)
  return Number(sequence)
}

function fail(reason: string): void {
  failure ??= reason
  for (const { all } of received.values()) all.reject(new Error(reason))
}

function check(): void {
  if (failure !== null) throw new Error(failure)
}
