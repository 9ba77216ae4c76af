import pg from 'pg'
import { migrations } from '../../migrations/index.js'

const CONNECT_MS = 10_000
/** SQLSTATE of a table that is not there, and of one that may not be read. */
const NOT_THERE = ['42P01', '42501', '3F000']

/** What can be seen of a database without changing anything. */
export interface DatabaseFacts {
  /** As `server_version_num` has it: 180004. */
  versionNumber: number
  version: string
  login: string
  /** Names of migrations that this version has and the database lacks. */
  pending: string[]
  /** How far the server's clock is ahead of this process's. */
  aheadMs: number
}

const FACTS = `
  select current_setting('server_version_num')::integer as "versionNumber", current_setting('server_version') as version,
         session_user::text as login`

/** @param url of any login */
export async function inspectDatabase(url: string): Promise<DatabaseFacts> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<Pick<DatabaseFacts, 'versionNumber' | 'version' | 'login'>>(FACTS)
    const [facts] = rows
    if (!facts) throw new Error('a select without a from clause has a row')
    return { ...facts, pending: await pendingMigrations(client), aheadMs: await aheadMs(client) }
  } finally {
    await client.end().catch(() => {})
  }
}

async function pendingMigrations(client: pg.Client): Promise<string[]> {
  const applied = await client.query<{ name: string }>('select name from migrations').then(
    ({ rows }) => rows.map(({ name }) => name),
    (error: { code?: string }): string[] => {
      if (!NOT_THERE.includes(error.code ?? '')) throw error
      return []
    }
  )
  return migrations.map(({ name }) => name).filter((name) => !applied.includes(name))
}

async function aheadMs(client: pg.Client): Promise<number> {
  const before = Date.now()
  const { rows } = await client.query<{ ms: number }>(
    'select extract(epoch from clock_timestamp())::float8 * 1000 as ms'
  )
  return (rows[0]?.ms ?? before) - (before + Date.now()) / 2
}
