import type { Case } from '../case.js'
import { seedConversations } from '../seeding/conversations.js'

const SENDERS = 64
const senderIds = Array.from({ length: SENDERS }, (_, index) => `sender-${index}`)
const MESSAGES_PER_ROUND = 30_000
const ROUND_MS = 1_000
const MANY = 1_000_000

interface Imported {
  perSecond: number
  residentBytes: number
}

export const importing: Case = {
  name: 'import',
  measured: 'JSON Lines into one conversation',
  beside: 'hot: 64 senders in one conversation, without HTTP',
  unit: '/s',
  goal: { ratio: 'AT_LEAST', value: 0.334 },
  async prepare(stage) {
    const { seed, clone } = await stage.seeded('hot conversation', (database) =>
      seedConversations(stage, database, 1, () => senderIds)
    )
    const [into, sentTo] = [await clone(), await clone()]
    const importer = await stage.child('load/import-lines.js', { env: stage.environment(into) })
    const sender = await stage.child('load/hot-sends.js', { env: stage.environment(sentTo) })
    let imports = 0
    const run = async (messages: number) =>
      await importer.call<Imported>('run', { name: `import ${++imports}`, messages, senders: SENDERS })
    return {
      measured: async () => (await run(MESSAGES_PER_ROUND)).perSecond,
      beside: () => sender.call<number>('run', { conversationId: seed[0] ?? '', senderIds, ms: ROUND_MS }),
      async notes() {
        const { perSecond, residentBytes } = await run(MANY)
        return [
          `1,000,000 messages at ${Math.round(perSecond)}/s, ${Math.round(residentBytes / 2 ** 20)} MB resident then`
        ]
      },
      async close() {
        for (const child of [importer, sender]) await child.close()
        for (const database of [into, sentTo]) await database.drop()
      }
    }
  }
}
