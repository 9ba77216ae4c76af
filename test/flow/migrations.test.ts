import { describe, expect, it } from 'vitest'
import { migrate } from '../../src/database/migrate.js'
import { createTestDatabase } from '../support/test-database.js'

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
