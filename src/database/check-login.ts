import pg from 'pg'
import { migrations } from '../../migrations/index.js'
import { StartError } from '../start-error.js'
import type { DatabaseLogin } from './database-login.js'
import type { DatabaseRole } from './database-roles.js'

const CONNECT_MS = 10_000
/** SQLSTATE of a table that is not there, and of one that may not be read. */
const NOT_MIGRATED = ['42P01', '42501']
/** SQLSTATE of a role that is not there, and of one that the login may not take on. */
const NOT_THE_ROLE = ['22023', '42501']

interface Rights {
  login: string
  isOwner: boolean
  mayCreate: boolean
  mayUseTemporary: boolean
  mayRead: boolean
}

const RIGHTS = `
  select session_user::text as login,
         (select pg_has_role(session_user, relowner, 'MEMBER') from pg_class where oid = 'key_events'::regclass) as "isOwner",
         has_schema_privilege(current_schema(), 'create') as "mayCreate",
         has_database_privilege(current_database(), 'temporary') as "mayUseTemporary",
         has_table_privilege('conversations', 'select') as "mayRead"`

/**
 * Looks at what a login finds, and may do, before anything else uses it.
 *
 * @returns what it may do that it should not, a sentence each
 * @throws StartError where it may not act as its role, or the database is not migrated as this version needs it
 */
export async function checkLogin(login: DatabaseLogin, role: DatabaseRole): Promise<string[]> {
  const client = new pg.Client({ ...login, connectionTimeoutMillis: CONNECT_MS })
  // Whatever is asked next says so.
  client.on('error', () => {})
  await client.connect().catch((error: unknown) => {
    if (!NOT_THE_ROLE.includes((error as { code?: string }).code ?? '')) throw error
    const user = new URL(login.connectionString).username
    throw new StartError(
      `The database's login ${user} may not act as ${role}. Have an administrator of the server run: grant ${role} to ${user};`
    )
  })
  try {
    await requireMigrations(client)
    const { rows } = await client.query<Rights>(RIGHTS)
    return rows.flatMap((rights) => excessOf(rights, role))
  } finally {
    await client.end()
  }
}

async function requireMigrations(client: pg.Client): Promise<void> {
  const applied = await client.query<{ name: string }>('select name from migrations').then(
    ({ rows }) => rows.map(({ name }) => name),
    (error: { code?: string }): string[] => {
      if (!NOT_MIGRATED.includes(error.code ?? '')) throw error
      return []
    }
  )
  const contracted = applied.find((name) => isContract(name) && !migrations.some((known) => known.name === name))
  if (contracted) {
    throw new StartError(
      `The database was migrated by a newer version (${contracted}), which took away what this one needs. Start that version, or a newer one.`
    )
  }
  // One that has only more was migrated by a newer version, beside which this one still serves.
  const missing = migrations.filter(({ name }) => !applied.includes(name))
  if (missing.length === 0) return
  throw new StartError(
    `The database lacks ${missing.length} migrations of this version, up to ${missing.at(-1)?.name}. Run npm run -s migrate first, with the DATABASE_URL of its owner.`
  )
}

/** Migrations add; one that takes away what older versions use says so in its name: see CONTRIBUTING.md. */
function isContract(name: string): boolean {
  return name.endsWith('-contract')
}

function excessOf({ login, isOwner, mayCreate, mayUseTemporary, mayRead }: Rights, role: DatabaseRole): string[] {
  if (!mayRead) {
    throw new StartError(
      `${role} has no rights in the database, though it was migrated. A dump is restored with them only where the role was there before: see docs/operations.md.`
    )
  }
  return [
    ...(isOwner
      ? [`the login ${login} owns the tables, or may become who does: ${role} is all that it is by itself`]
      : []),
    ...(mayCreate ? [`${role} may create objects in the schema`] : []),
    ...(mayUseTemporary ? [`${role} may create temporary tables`] : [])
  ]
}
