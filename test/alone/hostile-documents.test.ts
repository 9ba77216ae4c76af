import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Pool } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { HostileDocuments, type HostileRequest } from '../../bench/hostile-documents.js'
import { bootConclave, programEnvironment, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import { EventStreamClient, type StreamResult } from '../support/event-streams.js'
import { InstalledProgram, type RunningProgram } from '../support/program.js'
import { askOn, openSocket } from '../support/transports.js'

/**
 * Ten thousand documents that mean harm, over HTTP, WebSocket and streams of events, to a server in production, beside an
 * honest client: that it is answered, and right. How fast, and at how many documents a minute, is measured by bench/cases/hostile.ts.
 */

const COUNT = 10_000
/** In which a cost is measured; the first warms up. */
const ROUNDS = 5
const AT_ONCE = 8
const LONG = 300_000
const seed = process.env.HOSTILE_SEED ?? randomUUID()

interface Answer {
  status: number | null
  result: StreamResult
}

let conclave: TestConclave
let program: InstalledProgram
let api: RunningProgram
let url: string
let honest: string
let hostile: string
let conversationId: string
let pool: Pool

beforeAll(async () => {
  conclave = await bootConclave()
  const alice = await conclave.as('alice')
  conversationId = await createConversation(alice, [])
  for (let count = 0; count < 10; count++) await send(alice, conversationId, `message ${count}`)
  const claims = { scopes: ['keys:read', 'keys:admin'] }
  ;[honest, hostile] = [await conclave.token('alice'), await conclave.token('mallory', claims)]
  program = await InstalledProgram.built()
  api = program.startApi({ ...programEnvironment(conclave), NODE_ENV: 'production', PORT: '0' })
  url = (await api.ready()).replace('localhost', '127.0.0.1')
  pool = new Pool(url)
}, LONG)
afterAll(async () => {
  await pool.close()
  await program.remove()
  await conclave.close()
})

describe(`a server that is sent hostile documents (HOSTILE_SEED=${seed})`, () => {
  it.skipIf(process.platform !== 'linux')(
    'turns a megabyte away, over every transport, in less than 5 ms of CPU',
    { timeout: LONG },
    async () => {
      const text = `{ ${'a '.repeat(500_000)} }`
      const attempts = 50
      for (const path of ['/graphql', '/graphql/stream']) {
        let lost = 0
        const posted = async () => {
          const answer = await post(JSON.stringify({ query: text }), { path }).catch(({ code }) => String(code))
          // Who still writes when the connection is closed may not come to read the answer (RFC 9112, section 9.6).
          if (typeof answer === 'string') {
            lost++
            return expect(['EPIPE', 'ECONNRESET', 'UND_ERR_SOCKET'], path).toContain(answer)
          }
          await answer.body.text().catch(() => {})
          expect(answer.statusCode, path).toBe(413)
        }
        expect(await cpuMsOf(posted, attempts), path).toBeLessThan(5)
        expect(lost, path).toBeLessThan((ROUNDS * attempts) / 10)
      }
      const opening = await cpuMsOf(() => overSocketOfItsOwn('{ viewer { id } }', null), attempts)
      const refusing = await cpuMsOf(() => overSocketOfItsOwn(text, 1009), attempts)
      expect(refusing - opening).toBeLessThan(5)
      expect(await honestPage()).toHaveLength(10)
    }
  )

  it('refuses each kind of them at its least and at its most', { timeout: LONG }, async () => {
    const faults: string[] = []
    for (const request of HostileDocuments.atTheirEnds) {
      const fault = faultOf(request, await overHttp(request))
      if (fault) faults.push(`${request.kind}: ${fault}`)
    }
    expect(faults).toEqual([])
  })

  it('goes on answering, and executes none of them', { timeout: LONG }, async () => {
    const begin = performance.now()
    const documents = new HostileDocuments(seed)
    const socket = openSocket(url, hostile)
    const streams = new EventStreamClient(url, hostile)
    const ways = [
      overHttp,
      async (request: HostileRequest) => ({ status: null, result: await askOn(socket, operationOf(request)) }),
      async (request: HostileRequest) => ({ status: null, result: (await streams.all(operationOf(request)))[0] ?? {} })
    ]
    const faults: string[] = []
    let sent = 0
    const sendInTurn = async () => {
      while (sent < COUNT) {
        const request = documents.next()
        const ask = ways[sent++ % ways.length] ?? overHttp
        const fault = faultOf(request, await ask(request))
        if (fault) faults.push(`${request.kind}: ${fault}`)
      }
    }
    const attack = Promise.all(Array.from({ length: AT_ONCE }, sendInTurn))
    let isOver = false
    void attack.finally(() => (isOver = true)).catch(() => {})
    let answered = 0
    while (!isOver) {
      expect(await honestPage()).toHaveLength(10)
      answered++
    }
    await attack
    await socket.dispose()
    streams.close()
    const seconds = (performance.now() - begin) / 1000
    console.info(`${sent} documents in ${seconds.toFixed(0)} s, and ${answered} pages. HOSTILE_SEED=${seed}`)
    expect(faults).toEqual([])
    expect(await conclave.database.query('select id from conversations')).toEqual([{ id: conversationId }])
    expect(api.output).not.toContain('internal error')
  })
})

/** What is wrong with an answer; null where it is as it has to be. */
function faultOf({ expected }: HostileRequest, { status, result }: Answer): string | null {
  const codes = result.errors?.map(({ extensions }) => extensions.code) ?? []
  if ((status ?? 0) >= 500 || codes.includes('INTERNAL')) return `a fault of our own: ${status} ${codes}`
  if (expected === 'ANSWERED') return null
  if (result.data != null || codes.length === 0) return `executed: ${JSON.stringify(result).slice(0, 500)}`
  const allowed = ['QUERY_TOO_COMPLEX', ...(expected === 'REFUSED' ? ['BAD_USER_INPUT'] : [])]
  return codes.every((code) => allowed.includes(code)) ? null : `refused with ${codes}`
}

async function overHttp(request: HostileRequest): Promise<Answer> {
  const { statusCode, body } = await post(JSON.stringify(operationOf(request)))
  return { status: statusCode, result: (await body.json()) as StreamResult }
}

function operationOf({ kind: _, expected: __, ...operation }: HostileRequest) {
  return operation
}

async function post(body: string, { path = '/graphql', token = hostile } = {}) {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
  return await pool.request({ method: 'POST', path, headers, body })
}

async function honestPage(): Promise<unknown[] | undefined> {
  const query = `{ conversation(id: "${conversationId}") { messages(last: 10) { nodes { body } } } }`
  const { statusCode, body } = await post(JSON.stringify({ query }), { token: honest })
  const { data, errors } = (await body.json()) as {
    data?: { conversation: { messages: { nodes: unknown[] } } }
    errors?: unknown
  }
  expect({ statusCode, errors }).toEqual({ statusCode: 200 })
  return data?.conversation.messages.nodes
}

/** @param closedWith what the server closes it with; null: it answers */
async function overSocketOfItsOwn(query: string, closedWith: number | null): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${hostile}` } }))
  await once(socket, 'message')
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))
  if (closedWith === null) {
    await once(socket, 'message')
    socket.close()
  }
  const [code] = await once(socket, 'close')
  expect(code).toBe(closedWith ?? 1005)
}

/**
 * Of a server that has run for a while, per attempt, as its system counts it: in hundredths of a second, so over many. The
 * least of some rounds, since other work of the machine can only add to it.
 */
async function cpuMsOf(attempt: () => Promise<void>, attempts: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const before = serverCpuMs()
    for (let count = 0; count < attempts; count++) await attempt()
    least = Math.min(least, (serverCpuMs() - before) / attempts)
  }
  return least
}

function serverCpuMs(): number {
  // proc(5): utime and stime are the 14th and 15th field, and the second one, in parentheses, may have spaces in it.
  const fields = readFileSync(`/proc/${api.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}
