import type { Case } from '../case.js'
import type { ChildProgram } from '../child-program.js'
import type { Deliveries } from '../load/subscribers.js'
import { EVENTS, type Request, sendRequest, tokenOf } from '../operations.js'
import { ownerOf, seedConversations } from '../seeding/conversations.js'
import type { Stage } from '../stage.js'

const SUBSCRIBERS = 1000
const AT_ONCE = 4
const ROUND_MS = 1_000
const memberIds = Array.from({ length: SUBSCRIBERS }, (_, index) => `subscriber-${index}`)

export const fanOut: Case = {
  name: 'fan-out',
  measured: 'messages to 1,000 subscribers with one selection, 4 at once',
  beside: 'a bare ws server that sends one frame',
  unit: '/s',
  goal: { ratio: 'AT_LEAST', value: 0.6 },
  async prepare(stage) {
    const seeded = await stage.seeded('one conversation of a thousand', (database) =>
      seedConversations(stage, database, 1, () => memberIds)
    )
    const database = await seeded.clone()
    const conversationId = seeded.seed[0] ?? ''
    const request = await sendRequest(ownerOf(0), conversationId)
    const api = await stage.api(database)
    const bare = await stage.child('load/bare-websockets.js')
    const subscribers = await openSubscribers(stage, api.url, conversationId, request)
    const deliver = async (to: ChildProgram) =>
      await to.call<Deliveries>('deliver', { request, atOnce: AT_ONCE, ms: ROUND_MS })
    const { frame } = await deliver(subscribers)
    const bareUrl = await bare.call<string>('prepare', frame)
    const bareSubscribers = await openSubscribers(stage, bareUrl, conversationId, request)
    return {
      measured: async () => (await deliver(subscribers)).perSecond,
      beside: async () => (await deliver(bareSubscribers)).perSecond,
      notes: () => [`${frame.length} bytes each`],
      async close() {
        for (const child of [subscribers, bareSubscribers, api, bare]) await child.close()
        await database.drop()
      }
    }
  }
}

async function openSubscribers(
  stage: Stage,
  url: string,
  conversationId: string,
  request: Request
): Promise<ChildProgram> {
  const tokens = await Promise.all(memberIds.map(tokenOf))
  const subscribers = tokens.map((token) => ({ token, conversationId }))
  const child = await stage.child('load/subscribers.js')
  await child.call('open', { url, query: EVENTS, subscribers })
  await child.call('untilLive', [request])
  return child
}
