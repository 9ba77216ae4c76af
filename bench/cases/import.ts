import type { Case } from '../case.js'
import { seedConversations } from '../seeding/conversations.js'

const SENDERS = 64
const senderIds = Array.from({ length: SENDERS }, (_, index) => `sender-${index}`)
const ROUND_MS = 1_000

interface Imported {
  perSecond: number
  residentBytes: number
}

export const importing = importOf(15_000, { name: 'import', measured: 'JSON Lines into one conversation' })

/** Whether a long one is as fast, and in as much memory. It takes minutes. */
export const importingMillion = importOf(1_000_000, {
  name: 'import-million',
  measured: '1,000,000 JSON Lines into one conversation',
  onlyByName: true,
  rounds: { atMost: 1, warmUp: false }
})

function importOf(messages: number, description: Pick<Case, 'name' | 'measured' | 'onlyByName' | 'rounds'>): Case {
  return {
    ...description,
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
      let residentBytes = 0
      return {
        async measured() {
          const order = { name: `import ${++imports}`, messages, senders: SENDERS }
          const imported = await importer.call<Imported>('run', order)
          residentBytes = imported.residentBytes
          return imported.perSecond
        },
        beside: () => sender.call<number>('run', { conversationId: seed[0] ?? '', senderIds, ms: ROUND_MS }),
        notes: () => [`${Math.round(residentBytes / 2 ** 20)} MB resident`],
        async close() {
          for (const child of [importer, sender]) await child.close()
          for (const database of [into, sentTo]) await database.drop()
        }
      }
    }
  }
}
