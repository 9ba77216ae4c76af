import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import type { DatabaseRole } from '../../src/database/database-roles.js'

export interface TestDatabase {
  /** Of the superuser, to whom everything belongs. */
  url: string
  /** Of a login that is a member of the role, and nothing else. */
  urlOf(role: DatabaseRole): string
  /** Runs SQL behind the server's back. */
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>
  drop(): Promise<void>
}

/**
 * A database of one's own.
 *
 * @param empty whether nothing is in it; otherwise it is a clone of the migrated template
 */
export async function createTestDatabase({ empty = false }: { empty?: boolean } = {}): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const url = new URL(inject('templateUrl'))
  const template = empty ? 'template0' : url.pathname.slice(1)
  await administer(`create database ${name} template ${template}`)
  url.pathname = `/${name}`
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  return {
    url: url.href,
    urlOf: (role) => Object.assign(new URL(inject('roleUrls')[role]), { pathname: url.pathname }).href,
    query: async (text, values) => (await client.query(text, values)).rows,
    async drop() {
      await client.end()
      await administer(`drop database ${name} with (force)`)
    }
  }
}

async function administer(statement: string): Promise<void> {
  const url = new URL(inject('templateUrl'))
  url.pathname = '/postgres'
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  try {
    // Two clones at once may find the template in use: one lock for all test files puts them in a row.
    await client.query('select pg_advisory_lock(20263)')
    await client.query(statement)
  } finally {
    await client.end()
  }
}
