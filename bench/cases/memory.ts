import type { Case } from '../case.js'
import type { MemoryInUse } from '../hooks/report-to-parent.js'
import { EVENTS, type Request, sendRequest, tokenOf } from '../operations.js'
import { ownerOf, seedConversations } from '../seeding/conversations.js'
import type { ApiProcess, BenchDatabase, Stage } from '../stage.js'

const CONVERSATIONS = 100
const MEMBERS = 100
/**
 * Connect to each first, and go again: what a process takes once, whoever comes, is not counted. What these leave free
 * others take, and it is not counted either: a hundredth of all.
 */
const BEFORE = 1
const memberOf = (conversation: number, index: number) => `subscriber-${conversation}-${index}`

export const memory: Case = {
  name: 'memory',
  measured: 'resident memory of an API process per idle subscriber, of 10,000',
  beside: null,
  unit: 'KB',
  goal: { ratio: 'AT_MOST', value: 30 },
  rounds: { atMost: 2, warmUp: false },
  async prepare(stage) {
    const seeded = await stage.seeded('a hundred conversations of a hundred', (database) =>
      seedConversations(stage, database, CONVERSATIONS, (conversation) =>
        Array.from({ length: MEMBERS }, (_, index) => memberOf(conversation, index))
      )
    )
    const database = await seeded.clone()
    let inUse: MemoryInUse | null = null
    return {
      async measured() {
        inUse = await measureOnce(stage, database, seeded.seed)
        return kilobytes(inUse.residentBytes)
      },
      beside: async () => 1,
      notes: () => (inUse ? [`heap ${short(inUse.heapBytes)} KB, buffers ${short(inUse.externalBytes)} KB`] : []),
      close: () => database.drop()
    }
  }
}

/** In a process of its own each time: memory that was taken once is seldom given back. @returns of one subscriber */
async function measureOnce(stage: Stage, database: BenchDatabase, ids: string[]): Promise<MemoryInUse> {
  const api = await stage.api(database, { nodeArgs: ['--expose-gc'] })
  await withSubscribers(stage, api, ids, BEFORE, async () => {})
  const inUse = () => api.call<MemoryInUse>('memoryInUse')
  const before = await inUse()
  const after = await withSubscribers(stage, api, ids, MEMBERS, inUse)
  await api.close()
  const each = (name: keyof MemoryInUse) => (after[name] - before[name]) / (CONVERSATIONS * MEMBERS)
  return {
    residentBytes: each('residentBytes'),
    heapBytes: each('heapBytes'),
    externalBytes: each('externalBytes')
  }
}

const kilobytes = (bytes: number) => bytes / 1000
const short = (bytes: number) => kilobytes(bytes).toFixed(1)

/** With so many in each conversation, every one of which has received a message. */
async function withSubscribers<T>(
  stage: Stage,
  { url }: ApiProcess,
  ids: string[],
  inEach: number,
  work: () => Promise<T>
): Promise<T> {
  const subscribers = await Promise.all(
    ids.flatMap((conversationId, conversation) =>
      Array.from({ length: inEach }, async (_, index) => {
        return { token: await tokenOf(memberOf(conversation, index)), conversationId }
      })
    )
  )
  const requests: Request[] = await Promise.all(ids.map((id, index) => sendRequest(ownerOf(index), id)))
  const child = await stage.child('load/subscribers.js')
  await child.call('open', { url, query: EVENTS, subscribers })
  await child.call('untilLive', requests)
  const result = await work()
  await child.close()
  return result
}
