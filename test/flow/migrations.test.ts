import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { migrations } from '../../migrations/index.js'
import { migrate } from '../../src/database/migrate.js'
import { type HeldTransaction, holdTransaction, untilWaiting } from '../support/held-transaction.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const FIRST_RELEASE = new URL('../fixtures/release-0.1.0.sql', import.meta.url)

/** As it was, but for somebody who reads a table that later versions add to, and does not come to an end. */
async function databaseOfFirstRelease(): Promise<{ database: TestDatabase; held: HeldTransaction }> {
  const database = await createTestDatabase({ empty: true })
  await database.query(readFileSync(FIRST_RELEASE, 'utf8'))
  const held = await holdTransaction(database)
  await held.query('select from key_operations')
  return { database, held }
}

describe('migrating', () => {
  it('by several processes at once applies each migration once, and again changes nothing', async () => {
    const database = await createTestDatabase({ empty: true })
    await Promise.all(Array.from({ length: 5 }, () => migrate(database.url)))
    const applied = () => database.query('select name from migrations order by id')
    const first = await applied()
    expect(first[0]).toEqual({ name: '0001-conversations' })
    expect(new Set(first.map((row) => JSON.stringify(row))).size).toBe(first.length)
    await migrate(database.url)
    expect(await applied()).toEqual(first)
    await database.drop()
  })

  it('gives up where another transaction holds a table that it changes, says what to do, and has changed nothing', async () => {
    const { database, held } = await databaseOfFirstRelease()
    const before = await database.query('select name from migrations')
    const refused = migrate(database.url, { lockWaitMs: 10, pauseMs: 0, tries: 2 })
    await expect(refused).rejects.toThrow(/^A migration waits for a table .* tried 2 times, and nothing is changed/)
    expect(await database.query('select name from migrations')).toEqual(before)
    await held.commit()
    await database.drop()
  })

  it('stops nobody for long while it waits for such a table, and goes on when it is free', async () => {
    const { database, held } = await databaseOfFirstRelease()
    const migrated = migrate(database.url, { lockWaitMs: 50, pauseMs: 0, tries: 10_000 })
    await untilWaiting(database, 1)
    // It stands in the line behind the migration.
    await database.query('select from key_operations')
    await held.commit()
    await migrated
    const [last] = await database.query('select name from migrations order by id desc limit 1')
    expect(last).toEqual({ name: migrations.at(-1)?.name })
    await database.drop()
  })

  it('leaves an index behind for every foreign key and no table without a primary key', async () => {
    const database = await createTestDatabase()
    const unindexed = await database.query<{ constraint: string }>(`
      select c.conname as constraint from pg_constraint c
       where c.contype = 'f' and c.connamespace = 'public'::regnamespace
         and not exists (
           select from pg_index i where i.indrelid = c.conrelid
              and (string_to_array(i.indkey::text, ' ')::smallint[])[1:cardinality(c.conkey)] @> c.conkey)
       order by c.conname`)
    // A conversation's own row names the keys in use: they are looked for from its side, and there is one such row.
    // Users are never deleted: nothing looks for the messages of one sender across conversations.
    expect(unindexed.map(({ constraint }) => constraint)).toEqual([
      'conversations_id_active_key_version_fkey',
      'conversations_id_data_key_id_fkey',
      'conversations_id_title_data_key_id_fkey',
      'messages_sender_id_fkey'
    ])
    const keyless = await database.query(`
      select relname from pg_class t
       where relkind = 'r' and relnamespace = 'public'::regnamespace
         and not exists (select from pg_index i where i.indrelid = t.oid and i.indisprimary)`)
    expect(keyless).toEqual([])
    await database.drop()
  })
})
