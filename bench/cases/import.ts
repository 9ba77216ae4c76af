import type { Case } from '../case.js'
import type { Imported } from '../load/import-lines.js'
import { seedConversations } from '../seeding/conversations.js'

const SENDERS = 64
const senderIds = Array.from({ length: SENDERS }, (_, index) => `sender-${index}`)
const MESSAGES_PER_ROUND = 30_000
const ROUND_MS = 1_000
/** Longer than a round of {@link MESSAGES_PER_ROUND} takes. */
const ROUND_AT_MOST_MS = 30_000
const MANY = 1_000_000
const MANY_MS = 20_000

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
    const run = async (messages: number, ms: number) =>
      await importer.call<Imported>('run', { name: `import ${++imports}`, messages, senders: SENDERS, ms })
    return {
      measured: async () => (await run(MESSAGES_PER_ROUND, ROUND_AT_MOST_MS)).perSecond,
      beside: () => sender.call<number>('run', { conversationId: seed[0] ?? '', senderIds, ms: ROUND_MS }),
      async notes() {
        const { messages, perSecond, residentBytes } = await run(MANY, MANY_MS)
        const memory = `${Math.round(residentBytes / 2 ** 20)} MB resident then`
        return [`${messages.toLocaleString('en')} messages in one import at ${Math.round(perSecond)}/s, ${memory}`]
      },
      async close() {
        for (const child of [importer, sender]) await child.close()
        for (const database of [into, sentTo]) await database.drop()
      }
    }
  }
}
