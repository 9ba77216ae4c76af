import { randomUUID } from 'node:crypto'
import { Pool } from 'undici'
import { answerCalls } from '../answer-calls.js'
import { FRESH_ID, type Request } from '../operations.js'

/** Sends requests to one server over kept connections, in turn, so many at once. */

export interface Target {
  /** Of GraphQL over HTTP. */
  url: string
  requests: Request[]
  atOnce: number
}

/** Goes on for a time, or until a number of requests was answered. */
export type Extent = { ms: number } | { count: number }

export interface Load {
  perSecond: number
  count: number
  p99Ms: number
}

let target: Target
let pool: Pool
let next = 0

answerCalls({
  aim(aimed: Target) {
    target = aimed
    pool = new Pool(new URL(target.url).origin, { connections: target.atOnce, pipelining: 1 })
  },
  async run(extent: Extent): Promise<Load> {
    const begin = performance.now()
    const tookMs: number[] = []
    let begun = 0
    const goesOn = () => ('ms' in extent ? performance.now() - begin < extent.ms : begun < extent.count)
    const sendInTurn = async () => {
      while (goesOn()) {
        begun++
        const sentAt = performance.now()
        await send(target.requests[next++ % target.requests.length])
        tookMs.push(performance.now() - sentAt)
      }
    }
    await Promise.all(Array.from({ length: target.atOnce }, sendInTurn))
    const seconds = (performance.now() - begin) / 1000
    tookMs.sort((a, b) => a - b)
    const p99Ms = tookMs[Math.ceil(tookMs.length * 0.99) - 1] ?? Number.NaN
    return { perSecond: tookMs.length / seconds, count: tookMs.length, p99Ms }
  }
})

async function send(request: Request | undefined): Promise<void> {
  if (!request) throw new Error('there are requests')
  const response = await pool.request({
    method: 'POST',
    path: '/graphql',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${request.token}` },
    body: request.body.replace(FRESH_ID, () => randomUUID())
  })
  const text = await response.body.text()
  if (response.statusCode !== 200 || text.includes('"errors":')) throw new Error(`refused: ${text.slice(0, 500)}`)
}
