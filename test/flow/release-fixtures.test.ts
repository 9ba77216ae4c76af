import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RotateKeyDocument } from '../../documents/generated.js'
import { migrationStatements } from '../../scripts/release/dump.js'
import { verifyKeyEvents } from '../../src/conversation-key/verify-key-events.js'
import { migrate } from '../../src/database/migrate.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { readBack, send } from '../support/chat.js'
import { hasReader, linesOf, readerPythons, runReader } from '../support/reader.js'
import { asWritten, expectOpens, readRelease, releases } from '../support/release-fixture.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/** What earlier versions have stored: today's program migrates it and opens all of it. */

it('there is a database of the first release', () => {
  expect(releases).toContain('release-0.1.0')
})

describe.each(releases)('the database of %s', (release) => {
  const fixture = readRelease(release)
  let database: TestDatabase
  let conclave: TestConclave

  beforeAll(async () => {
    database = await createTestDatabase({ empty: true })
    await database.query(fixture.sql)
    await migrate(database.url)
    conclave = await bootConclave({ databaseUrl: database.url }, fixture.variables)
  })
  afterAll(async () => {
    await conclave.close()
    await database.drop()
  })

  it('was made by migrations that are still what they were', async () => {
    const statements = await migrationStatements()
    const names = [...fixture.sql.matchAll(/^-- (\d{4}-\S+)$/gm)].map(([, name = '']) => name)
    expect(names.length).toBeGreaterThan(8)
    expect([...statements.keys()].slice(0, names.length)).toEqual(names)
    const changed = names.filter((name) =>
      statements.get(name)?.some((statement) => !fixture.sql.includes(`${statement};`))
    )
    expect(changed).toEqual([])
  })

  it('was brought up to date, and has then the schema of one that was always of today', async () => {
    const fresh = await createTestDatabase()
    const [today, migrated] = await Promise.all([schemaOf(fresh), schemaOf(database)])
    expect(migrated).toEqual(today)
    await fresh.drop()
  })

  it('opens: every message and every title as it was written', async () => {
    await expectOpens(conclave, fixture)
  })

  it('has an audit trail that is whole', async () => {
    expect(await verifyKeyEvents(conclave.services)).toMatchObject({ valid: true, firstInvalidSequence: null })
  })

  it.skipIf(!hasReader)('opens to the reader in Python as well', () => {
    const [python = ''] = readerPythons
    const env = { DATABASE_URL: database.url, MASTER_SECRETS: fixture.masterSecrets }
    for (const { id, messages } of fixture.conversations) {
      const [, ...found] = linesOf<{ sequence: number; status: string; body: string | null }>(
        runReader(python, 'read_conclave.py', [id, '--json'], env)
      )
      expect(found.map(({ body, status }) => [status, body])).toEqual(
        messages.map(({ body, status }) => [status, body])
      )
    }
  })

  it('goes on: a key is rotated, a message is sent, and all that was there stays', async () => {
    const alice = await conclave.as('alice', { name: 'Alice' })
    const [{ id, messages } = expect.fail('there are conversations')] = fixture.conversations
    await alice.run(RotateKeyDocument, { conversationId: id })
    await send(alice, id, 'today')
    const read = await readBack(alice, id)
    expect(read.slice(0, -1).map(asWritten)).toEqual(messages)
    expect(read.at(-1)).toMatchObject({ body: 'today', sequence: messages.length + 1 })
  })
})

/** Columns, constraints, indexes, triggers and functions, as the database itself words them. */
async function schemaOf(database: TestDatabase): Promise<unknown> {
  return await database.query(`
    select 'column' as kind, attrelid::regclass || '.' || attname as name,
           concat_ws(' ', format_type(atttypid, atttypmod), attidentity, pg_get_expr(adbin, adrelid)) as what
      from pg_attribute a
      join pg_class t on t.oid = attrelid and relkind = 'r' and relnamespace = 'public'::regnamespace
      left join pg_attrdef on adrelid = attrelid and adnum = attnum
     where attnum > 0 and not attisdropped
    union all
    select 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
      from pg_constraint where connamespace = 'public'::regnamespace and conrelid <> 0
    union all
    select 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
    union all
    select 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
    union all
    select 'function', oid::regprocedure::text, pg_get_functiondef(oid) || coalesce(proacl::text, '')
      from pg_proc where pronamespace = 'public'::regnamespace
    union all
    select 'rights', relname, relacl::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
    order by 1, 2, 3`)
}
