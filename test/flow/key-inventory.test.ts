import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COUNT_DUE_BY_DAY } from '../../src/key-life/count-due-rotations.js'
import { type InventoryFilter, inventoryPage } from '../../src/key-life/key-inventory.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const KEYS = 50_000

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  // Neither their events nor the steps to their states are there.
  await database.query('alter table conversation_keys disable trigger user')
  await database.query(manyConversations())
  await database.query(`
    update conversation_keys set state = 'COMPROMISED', compromised_at = now(), deactivated_at = now()
     where get_byte(uuid_send(conversation_id), 15) = 0 and get_byte(uuid_send(conversation_id), 14) < 8`)
  await database.query(`
    update conversation_keys set master_key = 'local:old' where get_byte(uuid_send(conversation_id), 15) = 1`)
  await database.query(`
    update conversations set key_used = true where get_byte(uuid_send(id), 15) = 2`)
  await database.query('vacuum analyze')
})
afterAll(() => database.drop())

describe(`the inventory of ${KEYS} keys`, () => {
  it.each<[string, Partial<InventoryFilter>, string]>([
    ['of a rare state', { states: ['COMPROMISED'] }, 'conversation_keys_state'],
    ['of several rare states', { states: ['COMPROMISED', 'DESTROYED'] }, 'conversation_keys_state'],
    ['of a master key', { masterKey: 'local:old' }, 'conversation_keys_master_key'],
    ['that is overdue', { overdue: true }, 'conversations_rotation'],
    ['of an ordinary state', { states: ['ACTIVE'] }, 'conversation_keys_'],
    ['as a whole', {}, 'conversation_keys_pkey']
  ])('%s is read from its index, from the beginning and from the middle', async (_, filter, index) => {
    for (const after of [null, '80000000-0000-0000-0000-000000000000']) {
      const plan = await planOf({ states: null, masterKey: null, overdue: false, ...filter }, after)
      expect(plan).toContain(index)
      expect(plan).not.toContain('Seq Scan')
    }
  })
})

describe(`due rotations among ${KEYS} conversations`, () => {
  it('are counted in the index of those that are used, all of them', async () => {
    const now = [new Date()]
    const plan = await database.query<{ 'QUERY PLAN': string }>(`explain ${COUNT_DUE_BY_DAY.text}`, now)
    const lines = plan.map((row) => row['QUERY PLAN']).join('\n')
    expect(lines).toContain('conversations_rotation')
    expect(lines).not.toContain('Seq Scan')
    const [used] = await database.query('select count(*)::integer as keys from conversations where key_used')
    expect(await database.query(COUNT_DUE_BY_DAY.text, now)).toEqual([{ place: 0, ...used }])
  })
})

async function planOf(filter: InventoryFilter, after: string | null): Promise<string> {
  const values = [filter.states, filter.masterKey, new Date(), after, after && 1, 50]
  const rows = await database.query<{ 'QUERY PLAN': string }>(`explain ${inventoryPage(filter).text}`, values)
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}

/** Rows as large as real ones: what is read from them, and not what is in them, is what counts here. */
function manyConversations(): string {
  return `
    with made as (
      insert into conversations (id, history_visibility, active_key_version, created_at, last_activity_at, key_rotates_at)
      select md5(n::text)::uuid, 'FULL', 1, now(), now(), now() - interval '1 day' from generate_series(1, ${KEYS}) n
      returning id
    )
    insert into conversation_keys (conversation_id, version, key_id, state, modulus_bits, public_key,
                                   wrapped_private_key, master_key, rotation_reason, created_at, activated_at)
    select id, 1, gen_random_uuid(), 'ACTIVE', 3072, convert_to(repeat('p', 422), 'UTF8'),
           convert_to(repeat('w', 1850), 'UTF8'), 'local:new', 'CREATED', now(), now()
      from made`
}
