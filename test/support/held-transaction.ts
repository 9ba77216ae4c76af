import pg from 'pg'
import { expect, vi } from 'vitest'
import type { TestDatabase } from './test-database.js'

/** A transaction of somebody else, which keeps the locks that its statements took until it is committed. */
export interface HeldTransaction {
  query(text: string, values?: unknown[]): Promise<void>
  commit(): Promise<void>
}

export async function holdTransaction(database: TestDatabase): Promise<HeldTransaction> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query('begin')
  return {
    query: async (text, values) => void (await client.query(text, values)),
    async commit() {
      await client.query('commit')
      await client.end()
    }
  }
}

/** Keeps everything out that changes the conversation's row. */
export async function holdConversation(database: TestDatabase, id: string): Promise<HeldTransaction> {
  const held = await holdTransaction(database)
  await held.query('select from conversations where id = $1 for update', [id])
  return held
}

/** Settles once so many statements wait for a lock. */
export async function untilWaiting(database: TestDatabase, statements: number): Promise<void> {
  const text = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  await vi.waitFor(async () => expect(await database.query(text)).toHaveLength(statements), { timeout: 10_000 })
}
