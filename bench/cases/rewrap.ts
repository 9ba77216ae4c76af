import { randomBytes } from 'node:crypto'
import { runOperation } from '../../jobs/key-operations.js'
import type { Viewer } from '../../src/identity/viewer.js'
import { STEP_MAX } from '../../src/key-life/rewrap-position.js'
import { rewrapPrivateKeys } from '../../src/key-life/rewrap-private-keys.js'
import type { Case } from '../case.js'
import { openServices } from '../seeding/composed.js'
import { FROM, privateKeysToMove, TO } from '../seeding/private-keys.js'
import type { BenchDatabase } from '../stage.js'

const KEYS = 100_000
/** All rounds together, and the one that does not count, take fewer than there are. */
const KEYS_PER_ROUND = 7_000

const administrator: Viewer = { id: 'admin', name: 'Admin', scopes: new Set(['keys:admin']), expiresAt: null }

export const rewrap: Case = {
  name: 'rewrap',
  measured: '100,000 private keys from one local master key to another',
  beside: 'UPDATE … FROM unnest of the same rows',
  unit: '/s',
  goal: { ratio: 'AT_LEAST', value: 0.5 },
  async prepare(stage) {
    const { clone } = await privateKeysToMove(stage, KEYS)
    const [moving, updated] = [await clone(), await clone()]
    const variables = {
      MASTER_KEY: TO.uri,
      MASTER_KEYS_RETIRING: FROM.uri,
      MASTER_SECRETS: `${FROM.secret},${TO.secret}`
    }
    const { services: parts, close } = await openServices(stage.environment(moving, variables))
    const services = parts.worker
    const { id } = await rewrapPrivateKeys(services, administrator, { dryRun: false })
    const update = await updateInBatches(updated)
    let moved = 0
    return {
      async measured() {
        const before = moved
        const stop = new AbortController()
        const begin = performance.now()
        await runOperation(services, id, stop.signal, async ({ done }) => {
          moved = done
          if (moved - before >= KEYS_PER_ROUND) stop.abort()
        })
        return (moved - before) / ((performance.now() - begin) / 1000)
      },
      beside: () => update(KEYS_PER_ROUND),
      async misses() {
        const text = 'select count(*)::integer as keys from conversation_keys where master_key = $1'
        const [row] = await moving.query<{ keys: number }>(text, [TO.uri])
        return row?.keys === moved ? [] : [`${moved} keys were counted as moved, and ${row?.keys} are.`]
      },
      async close() {
        await close()
        await moving.drop()
        await updated.drop()
      }
    }
  }
}

const UPDATE = `
  update conversation_keys k set wrapped_private_key = n.after, master_key = $4
    from unnest($1::uuid[], $2::integer[], $3::bytea[]) as n (conversation_id, version, after)
   where k.conversation_id = n.conversation_id and k.version = n.version`

/** What the database alone takes for as many keys, in the same order and as many at a time; @returns it per second */
async function updateInBatches(database: BenchDatabase): Promise<(count: number) => Promise<number>> {
  const keys = await database.query<{ id: string; version: number; bytes: number }>(
    `select conversation_id as id, version, length(wrapped_private_key) as bytes from conversation_keys order by 1, 2`
  )
  let done = 0
  return async (count) => {
    const before = done
    const wrappings = Array.from({ length: STEP_MAX }, (_, index) => randomBytes(keys[done + index]?.bytes ?? 0))
    const begin = performance.now()
    while (done - before < count) {
      const batch = keys.slice(done, done + STEP_MAX)
      if (batch.length === 0) throw new Error('all rows were updated')
      const [ids, versions] = [batch.map(({ id }) => id), batch.map(({ version }) => version)]
      await database.query(UPDATE, [ids, versions, wrappings, TO.uri])
      done += batch.length
    }
    return (done - before) / ((performance.now() - begin) / 1000)
  }
}
