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
         and not exists (select from pg_index i where i.indrelid = c.conrelid and (i.indkey::smallint[])[0:0] = c.conkey[1:1])`)
    // Users are never deleted: nothing looks for the messages of one sender across conversations.
    expect(unindexed).toEqual([{ constraint: 'messages_sender_id_fkey' }])
    const keyless = await database.query(`
      select relname from pg_class t
       where relkind = 'r' and relnamespace = 'public'::regnamespace
         and not exists (select from pg_index i where i.indrelid = t.oid and i.indisprimary)`)
    expect(keyless).toEqual([])
    await database.drop()
  })
})
