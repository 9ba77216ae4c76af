import type { DatabaseRole } from './database-roles.js'

/** How to connect, as the driver takes it. */
export interface DatabaseLogin {
  /** `postgres://…`, with the login's name and password in it. */
  connectionString: string
  /** Settings of each connection, `-c name=value`: the role that it takes on is one of them. */
  options: string
}

/** What goes on for longer than this in the database is given up, so that it holds no lock and no connection for ever. */
const SETTINGS: Record<DatabaseRole, readonly string[]> = {
  // Requests: none of their statements is that long, and none of their transactions waits for anything else.
  conclave_api: ['statement_timeout=60s', 'idle_in_transaction_session_timeout=60s'],
  // Jobs: they count whole tables, and ask master keys in the midst of a transaction.
  conclave_worker: ['idle_in_transaction_session_timeout=10min']
}

/** @param role what each connection acts as, whatever else the login may do */
export function databaseLogin(url: string, role: DatabaseRole): DatabaseLogin {
  const parsed = new URL(url)
  const given = parsed.searchParams.get('options')
  // The driver takes the URL's over those beside it.
  parsed.searchParams.delete('options')
  const settings = [...SETTINGS[role], `role=${role}`].map((setting) => `-c ${setting}`)
  return { connectionString: parsed.href, options: [...(given ? [given] : []), ...settings].join(' ') }
}
