import { rotateDueBatch } from '../../jobs/rotate-due.js'
import type { DueRotation } from '../../src/conversation-key/rotate-due.js'
import { generateRsaKeyPair } from '../../src/crypto/key-transport.js'
import { RSA_GENERATIONS } from '../../src/thread-pool.js'
import type { Case } from '../case.js'
import { bulkConversations, inBulk } from '../seeding/bulk-rows.js'
import { openServices } from '../seeding/composed.js'

const DUE = 10_000
const MODULUS_BITS = 2048
/** How long one key takes is luck: in this time it evens out. What has begun by then is finished, and counts. */
const ROUND_MS = 2_000

export const rotate: Case = {
  name: 'rotate',
  measured: 'the job on 10,000 due keys of 2048 bits, empty pool',
  beside: 'making key pairs, as many at once',
  unit: '/s',
  goal: { ratio: 'AT_LEAST', value: 0.8 },
  async prepare(stage) {
    const database = await stage.database()
    await database.query(inBulk(...bulkConversations(DUE)))
    await database.query('vacuum (analyze)')
    const { services: parts, close } = await openServices(stage.environment(database))
    const services = parts.worker
    let counted = 0
    let after: DueRotation | null = null
    return {
      measured: () =>
        perSecond(async (stop) => {
          let rotated = 0
          while (!stop.aborted) {
            const batch = await rotateDueBatch(services, after, stop)
            after = batch.last
            rotated += batch.rotated
          }
          counted += rotated
          return rotated
        }),
      beside: () => perSecond(generatePairs),
      async misses() {
        const [row] = await database.query<{ keys: number }>(
          `select count(*)::integer as keys from conversation_keys where version = 2 and state = 'ACTIVE'`
        )
        return row?.keys === counted ? [] : [`${counted} rotations were counted, and ${row?.keys} are stored.`]
      },
      async close() {
        await close()
        await database.drop()
      }
    }
  }
}

async function generatePairs(stop: AbortSignal): Promise<number> {
  let made = 0
  const makeOnAndOn = async () => {
    for (; !stop.aborted; made++) await generateRsaKeyPair(MODULUS_BITS)
  }
  await Promise.all(Array.from({ length: RSA_GENERATIONS }, makeOnAndOn))
  return made
}

async function perSecond(count: (stop: AbortSignal) => Promise<number>): Promise<number> {
  const begin = performance.now()
  const done = await count(AbortSignal.timeout(ROUND_MS))
  return done / ((performance.now() - begin) / 1000)
}
