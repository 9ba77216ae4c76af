import type { Case } from '../case.js'
import type { ChildProgram } from '../child-program.js'
import { HttpSide } from '../http-side.js'
import { sendRequest } from '../operations.js'
import { median } from '../rounds.js'
import { seedConversations } from '../seeding/conversations.js'
import type { BenchDatabase, Stage } from '../stage.js'

const SENDERS = 64
const senderIds = Array.from({ length: SENDERS }, (_, index) => `sender-${index}`)
const ROUND_MS = 1_000
const HTTP_ROUNDS = 3
const HTTP_ROUND_MS = 1_000
const ONE_BY_ONE = ['hooks/statement-per-message.js']

interface Side {
  database: BenchDatabase
  sending: ChildProgram
  perSecond(): Promise<number>
}

export const hot: Case = {
  name: 'hot',
  measured: '64 senders in one conversation, without HTTP',
  beside: 'one statement per message',
  unit: '/s',
  goal: { ratio: 'AT_LEAST', value: 8 },
  async prepare(stage) {
    const grouped = await openSide(stage)
    const oneByOne = await openSide(stage, ONE_BY_ONE)
    return {
      measured: grouped.perSecond,
      beside: oneByOne.perSecond,
      notes: async () => [await overHttp(stage)],
      async close() {
        for (const { sending, database } of [grouped, oneByOne]) {
          await sending.close()
          await database.drop()
        }
      }
    }
  }
}

async function hotConversation(stage: Stage): Promise<{ database: BenchDatabase; conversationId: string }> {
  const { seed, clone } = await stage.seeded('hot conversation', (database) =>
    seedConversations(stage, database, 1, () => senderIds)
  )
  return { database: await clone(), conversationId: seed[0] ?? '' }
}

async function openSide(stage: Stage, imports: string[] = []): Promise<Side> {
  const { database, conversationId } = await hotConversation(stage)
  const sending = await stage.child('load/hot-sends.js', { imports, env: stage.environment(database) })
  return {
    database,
    sending,
    perSecond: () => sending.call<number>('run', { conversationId, senderIds, ms: ROUND_MS })
  }
}

/** What is left of it where HTTP and GraphQL cap both sides. */
async function overHttp(stage: Stage): Promise<string> {
  const grouped = await openHttpSide(stage)
  const oneByOne = await openHttpSide(stage, ONE_BY_ONE)
  const rounds: { grouped: number; ratio: number }[] = []
  for (let round = 0; round <= HTTP_ROUNDS; round++) {
    const perSecond = await grouped.perSecond({ ms: HTTP_ROUND_MS })
    rounds.push({ grouped: perSecond, ratio: perSecond / (await oneByOne.perSecond({ ms: HTTP_ROUND_MS })) })
  }
  await grouped.close()
  await oneByOne.close()
  const [, ...counted] = rounds
  const ratio = median(counted.map((round) => round.ratio)).toPrecision(2)
  return `over HTTP ${ratio} times, ${Math.round(median(counted.map((round) => round.grouped)))}/s`
}

async function openHttpSide(stage: Stage, imports: string[] = []): Promise<HttpSide> {
  const { database, conversationId } = await hotConversation(stage)
  const requests = await Promise.all(senderIds.map((id) => sendRequest(id, conversationId)))
  return await HttpSide.open(stage, database, { imports, requests, atOnce: SENDERS })
}
