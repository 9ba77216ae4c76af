import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DeleteConversationDocument, RotateKeyDocument, VerifyKeyEventsDocument } from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import { CITUS_STAND_IN } from '../support/citus-stand-in.js'
import { documentedSql } from '../support/documented-sql.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { runDueWork } from '../support/worker-run.js'

/**
 * The schema against the rules of Citus, which is not here itself: what of docs/scaling.md goes by a definition is
 * checked in the catalogue, and its statements are run with a stand-in for the functions of Citus.
 */

/** By what each table is distributed: a new one has its place here, and in docs/scaling.md. */
const DISTRIBUTED: Record<string, string> = {
  conversations: 'id',
  members: 'conversation_id',
  conversation_keys: 'conversation_id',
  data_keys: 'conversation_id',
  messages: 'conversation_id'
}
const REFERENCE = ['users', 'key_transitions']
const LOCAL = [
  'export_parts',
  'export_signing_keys',
  'exports',
  'imported_conversations',
  'imports',
  'key_event_heads',
  'key_events',
  'key_operations',
  'key_policy_defaults',
  'migrations',
  'pooled_keys',
  'refusal_windows',
  'send_paces'
]

describe('the migrated schema', () => {
  let database: TestDatabase

  beforeAll(async () => {
    database = await createTestDatabase()
    await database.query(CITUS_STAND_IN)
  })
  afterAll(() => database.drop())

  it('is refused by the stand-in as it is, for its triggers and for keys that refer to tables in turn', async () => {
    await expect(database.query(`select create_distributed_table('messages', 'conversation_id')`)).rejects.toThrow(
      'trigger'
    )
    await expect(database.query(`select create_distributed_table('conversations', 'id')`)).rejects.toThrow(
      'can not be checked on one node'
    )
    await expect(database.query(`select create_distributed_table('pooled_keys', 'created_at')`)).rejects.toThrow(
      'unique index pooled_keys_pkey of pooled_keys leaves out created_at'
    )
  })

  it('has no table that docs/scaling.md gives no place', async () => {
    const tables = await database.query<{ name: string }>(`
      select relname as name from pg_class
       where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace and relname <> 'distributed_tables'`)
    const placed = [...Object.keys(DISTRIBUTED), ...REFERENCE, ...LOCAL]
    expect(tables.map(({ name }) => name).sort()).toEqual(placed.sort())
  })

  it('has the distribution column in every unique constraint and every foreign key of a distributed table', async () => {
    for (const name of REFERENCE)
      await database.query('insert into distributed_tables values ($1::regclass, null)', [name])
    for (const [name, column] of Object.entries(DISTRIBUTED))
      await database.query('insert into distributed_tables values ($1::regclass, $2)', [name, column])
    expect(await database.query('select problem from violations')).toEqual([])
  })

  it('has in no other table anything that refers to a distributed one', async () => {
    const referring = await database.query(`
      select conname from pg_constraint
       where contype = 'f' and confrelid in (select relation from distributed_tables)
         and conrelid not in (select relation from distributed_tables)`)
    expect(referring).toEqual([])
  })
})

describe('an application whose tables were distributed by the documented statements', () => {
  let conclave: TestConclave
  let definedBefore: { name: string }[]

  beforeAll(async () => {
    conclave = await bootConclave()
    await conclave.workerServices.keySupply.refill(3)
    definedBefore = await definitions()
    await conclave.database.query(CITUS_STAND_IN)
    for (const block of documentedSql('Distribute by conversation')) await conclave.database.query(block)
  })
  afterAll(() => conclave.close())

  it('has the constraints and triggers that it had before, but for the one that looks into another table', async () => {
    expect(await definitions()).toEqual(definedBefore.filter(({ name }) => name !== 'conversation_keys_recorded'))
    expect(await conclave.database.query('select problem from violations')).toEqual([])
    const placed = await conclave.database.query(
      'select relation::text, distribution_column as column from distributed_tables where distribution_column is not null'
    )
    expect(Object.fromEntries(placed.map((row) => Object.values(row as object)))).toEqual(DISTRIBUTED)
  })

  it('sends, rotates, reads and purges', async () => {
    const [alice, bob] = [await conclave.as('alice'), await conclave.as('bob')]
    const admin = await conclave.as('admin', { scopes: ['keys:admin'] })
    const id = await createConversation(alice, ['bob'])
    await send(alice, id, 'before')
    await admin.run(RotateKeyDocument, { conversationId: id })
    await send(bob, id, 'after')
    expect((await readBack(bob, id)).map(({ body }) => body)).toEqual(['before', 'after'])
    await alice.run(DeleteConversationDocument, { conversationId: id })
    await runDueWork(conclave)
    expect(await conclave.database.query('select from conversations where id = $1', [id])).toEqual([])
    expect((await admin.run(VerifyKeyEventsDocument)).verifyKeyEvents.valid).toBe(true)
  })

  async function definitions(): Promise<{ name: string }[]> {
    return await conclave.database.query(
      `
      select conrelid::regclass::text as relation, conname as name, pg_get_constraintdef(oid) as definition from pg_constraint
       where conrelid = any($1::regclass[])
      union all
      select tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) from pg_trigger
       where tgrelid = any($1::regclass[]) and not tgisinternal
       order by 1, 2`,
      [[...Object.keys(DISTRIBUTED), ...REFERENCE, ...LOCAL]]
    )
  }
})
