import type { Case } from '../case.js'
import { CONVERSATIONS, openPaging } from '../seeding/pages.js'
import type { BenchDatabase } from '../stage.js'

const AT_ONCE = 4
/** Each conversation is read once in a round. */
const PAGES = CONVERSATIONS
/** Shorter than a round takes, longer than a page. */
const FORGOTTEN_AFTER = 'PT0.05S'

export const coldPage: Case = {
  name: 'cold-page',
  measured: 'messages(last: 50), nothing cached',
  beside: 'the same, cached',
  unit: '/s',
  goal: null,
  async prepare(stage) {
    const cold = await openPaging(stage, 'AES', {
      atOnce: AT_ONCE,
      imports: ['hooks/count-rsa.js'],
      env: { DATA_KEY_CACHE_TTL: FORGOTTEN_AFTER }
    })
    const cached = await openPaging(stage, 'AES', { atOnce: AT_ONCE })
    const keysInPages = await dataKeysInLastPages(cold.database)
    let rounds = 0
    const operations = () => cold.api.call<number>('rsaOperations')
    return {
      async measured() {
        rounds++
        return await cold.perSecond({ count: PAGES })
      },
      beside: () => cached.perSecond({ count: PAGES }),
      notes: async () => [
        `RSA operations: ${await operations()} for ${rounds * PAGES} pages with ${rounds * keysInPages} data keys`
      ],
      misses: async () =>
        (await operations()) === rounds * keysInPages
          ? []
          : [`${await operations()} RSA operations, and ${rounds * keysInPages} were to be.`],
      async close() {
        await cold.close()
        await cached.close()
      }
    }
  }
}

/** Of all conversations together: how many data keys the last 50 messages of each lie under. */
async function dataKeysInLastPages(database: BenchDatabase): Promise<number> {
  const [row] = await database.query<{ keys: number }>(
    `select count(distinct (m.conversation_id, m.data_key_id))::integer as keys
       from messages m join conversations c on c.id = m.conversation_id
      where m.sequence > c.last_sequence - 50`
  )
  return row?.keys ?? 0
}
