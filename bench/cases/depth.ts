import type { Case } from '../case.js'
import type { ChildProgram } from '../child-program.js'
import { hotStatements } from '../hot-statements.js'
import { HttpSide } from '../http-side.js'
import type { Load } from '../load/http-load.js'
import { pageRequest, type Request, sendRequest } from '../operations.js'
import { planFaults } from '../plan-faults.js'
import { median } from '../rounds.js'
import { openDepthServer, talkingIn } from '../seeding/depth.js'
import type { BenchDatabase, Stage } from '../stage.js'

const AT_MOST = 1.3
const AT_ONCE = 8
/** For each of the two operations. */
const ROUND_MS = 750

export const depth: Case = {
  name: 'depth',
  measured: 'sending a message and reading messages(last: 50), 10,000,000 messages stored',
  beside: 'the same, 10,000 messages stored',
  unit: 'ms',
  goal: { ratio: 'AT_MOST', value: AT_MOST },
  async prepare(stage) {
    const server = await openDepthServer(stage)
    const [deepDatabase, shallowDatabase] = [await server.deep(), await server.shallow()]
    const deep = await Talking.open(stage, deepDatabase)
    const shallow = await Talking.open(stage, shallowDatabase)
    const ratios = () => ({
      send: medianRatio(deep.sendMs, shallow.sendMs),
      page: medianRatio(deep.pageMs, shallow.pageMs)
    })
    return {
      measured: () => deep.round(),
      beside: () => shallow.round(),
      notes: () => Object.entries(ratios()).map(([name, ratio]) => `${name} ${ratio.toFixed(2)}`),
      async misses() {
        const slow = Object.entries(ratios()).filter(([, ratio]) => ratio > AT_MOST)
        const faults = await Promise.all(
          hotStatements.map((hot) => planFaults((text, values) => deepDatabase.query(text, values), hot))
        )
        return [
          ...slow.map(([name, ratio]) => `of ${name} alone the ratio is ${ratio.toFixed(2)}.`),
          ...faults.flat().map((fault) => `${fault}.`)
        ]
      },
      async close() {
        await deep.close()
        await shallow.close()
        await server.stop()
      }
    }
  }
}

/** Whoever sends to and reads the same conversations, in turn. */
class Talking {
  /** Milliseconds of one of them, by round. */
  readonly sendMs: number[] = []
  readonly pageMs: number[] = []

  private constructor(
    private readonly pages: HttpSide,
    private readonly sends: ChildProgram
  ) {}

  static async open(stage: Stage, database: BenchDatabase): Promise<Talking> {
    const conversations = await talkingIn(database)
    const pageRequests = await Promise.all(conversations.map(({ id, ownerId }) => pageRequest(ownerId, id)))
    const sendRequests = await Promise.all(conversations.map(({ id, ownerId }) => sendRequest(ownerId, id)))
    const pages = await HttpSide.open(stage, database, { requests: pageRequests, atOnce: AT_ONCE })
    const sends = await stage.child('load/http-load.js')
    await sends.call('aim', { url: pages.api.url, requests: sendRequests, atOnce: AT_ONCE })
    // Each conversation once, so that its keys are open, and what is read of it was read before.
    await sends.call('run', { count: conversations.length })
    await pages.run({ count: conversations.length })
    for (const request of pageRequests) await requireReadable(pages.api.url, request)
    return new Talking(pages, sends)
  }

  /** @returns milliseconds of one message and one page */
  async round(): Promise<number> {
    const sendMs = 1000 / (await this.sends.call<Load>('run', { ms: ROUND_MS })).perSecond
    const pageMs = 1000 / (await this.pages.perSecond({ ms: ROUND_MS }))
    this.sendMs.push(sendMs)
    this.pageMs.push(pageMs)
    return sendMs + pageMs
  }

  async close(): Promise<void> {
    await this.sends.close()
    await this.pages.close()
  }
}

/** That all 50 messages of a page open: those that were seeded only to be many are not among them. */
async function requireReadable(url: string, { token, body }: Request): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
  const text = await (await fetch(url, { method: 'POST', headers, body })).text()
  const readable = text.split('"status":"READABLE"').length - 1
  if (readable !== 50) throw new Error(`of a page of 50 messages ${readable} open`)
}

/** Of the rounds that count: the first was to warm up. */
function medianRatio(measured: number[], beside: number[]): number {
  return median(measured.map((ms, round) => ms / (beside[round] ?? Number.NaN)).slice(1))
}
