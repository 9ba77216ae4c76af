import type { Case } from '../case.js'
import { HttpSide } from '../http-side.js'
import type { Load } from '../load/http-load.js'
import { createRequest } from '../operations.js'
import { median } from '../rounds.js'
import { withServices } from '../seeding/composed.js'
import { fillPool } from '../seeding/pooled-keys.js'
import type { BenchDatabase, Stage } from '../stage.js'

const AT_ONCE = 4
const WARM = 400
const COLD = 16
const BITS = 3072
const P99_MS = 50
/** More than all rounds take. */
const POOLED = 16 * WARM

export const create: Case = {
  name: 'create',
  measured: 'createConversation over HTTP, 4 at once, 3072 bits, warm pool',
  beside: 'empty pool',
  unit: '/s',
  goal: { ratio: 'AT_LEAST', value: 10 },
  async prepare(stage) {
    const warm = await openCreating(stage, (database, environment) =>
      withServices(environment, 'api', (services) => fillPool(services, database, POOLED, BITS))
    )
    const cold = await openCreating(stage, async () => {})
    const loads: Load[] = []
    // Without the round that does not count.
    const p99Ms = () => median(loads.slice(1).map((load) => load.p99Ms))
    return {
      async measured() {
        const load = await warm.run({ count: WARM })
        loads.push(load)
        return load.perSecond
      },
      beside: () => cold.perSecond({ count: COLD }),
      notes: () => [`p99 ${p99Ms().toFixed(0)} ms`],
      misses: () => (p99Ms() < P99_MS ? [] : [`p99 ${p99Ms().toFixed(0)} ms, and less than ${P99_MS} was to be.`]),
      async close() {
        await warm.close()
        await cold.close()
      }
    }
  }
}

type Seed = (database: BenchDatabase, environment: Record<string, string>) => Promise<void>

/** An API process alone: no worker fills its pool. */
async function openCreating(stage: Stage, seed: Seed): Promise<HttpSide> {
  const database = await stage.database()
  const env = { KEY_BITS: String(BITS) }
  await seed(database, stage.environment(database, env))
  const requests = await Promise.all(
    Array.from({ length: AT_ONCE }, (_, index) => createRequest(`owner-${index}`, [`member-${index}`]))
  )
  return await HttpSide.open(stage, database, { env, requests, atOnce: AT_ONCE })
}
