import type { Case } from '../case.js'
import type { ChildOptions } from '../child-program.js'
import { HttpSide } from '../http-side.js'
import { sendRequest } from '../operations.js'
import { ownerOf, seedConversations } from '../seeding/conversations.js'
import type { BenchDatabase, Stage } from '../stage.js'

export const CONVERSATIONS = 1000
export const AT_ONCE = 32
export const ROUND_MS = 1_000

/** A database with the conversations that are sent to, and their ids. */
export async function conversationsToSendTo(stage: Stage): Promise<{ database: BenchDatabase; ids: string[] }> {
  const seeded = await stage.seeded('conversations to send to', (database) =>
    seedConversations(stage, database, CONVERSATIONS)
  )
  return { database: await seeded.clone(), ids: seeded.seed }
}

/** An API process with whoever sends to it: in each conversation its owner. */
export async function openSending(stage: Stage, options: ChildOptions = {}): Promise<HttpSide> {
  const { database, ids } = await conversationsToSendTo(stage)
  const requests = await Promise.all(ids.map((id, index) => sendRequest(ownerOf(index), id)))
  const side = await HttpSide.open(stage, database, { ...options, requests, atOnce: AT_ONCE })
  // Each data key is opened once, which is not what is measured.
  await side.run({ count: CONVERSATIONS })
  return side
}

export const send: Case = {
  name: 'send',
  measured: 'sendMessage over HTTP, 32 at once, 1,000 conversations, 300 bytes',
  beside: 'the same with a cipher that copies',
  unit: '/s',
  goal: { ratio: 'AT_LEAST', value: 0.95 },
  async prepare(stage) {
    const encrypting = await openSending(stage)
    const copying = await openSending(stage, { imports: ['hooks/copying-cipher.js'] })
    return {
      measured: () => encrypting.perSecond({ ms: ROUND_MS }),
      beside: () => copying.perSecond({ ms: ROUND_MS }),
      async close() {
        await encrypting.close()
        await copying.close()
      }
    }
  }
}
