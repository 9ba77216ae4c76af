import type pg from 'pg'
import { StartError } from '../start-error.js'

/**
 * What the parts of Conclave are in the database. Migrations grant each role what its part does, and nothing else; the
 * tables belong to whoever migrates. The roles are of the whole server, all databases of it share them, and
 * nobody logs in as one: logins are members.
 */
export const DATABASE_ROLES = ['conclave_api', 'conclave_worker'] as const
export type DatabaseRole = (typeof DATABASE_ROLES)[number]

/** Codes (SQLSTATE) of having lost a race against another database of the server that is being migrated. */
const LOST_RACE = ['23505', '42710', 'XX000']
const NOT_ALLOWED = '42501'
const ATTEMPTS = 10

const MISSING = `
  select wanted as role from unnest($1::text[]) as wanted
   where not exists (select from pg_roles where rolname = wanted)`

// From PostgreSQL 16 on membership alone does not say whether a role may be taken on.
const NOT_A_MEMBER = `
  select format('grant %I to %I', rolname, session_user) as statement from pg_roles
   where rolname = any($1::text[]) and not pg_has_role(
     session_user, oid, case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end)`

/**
 * Makes the roles where they are missing. Where it may, it makes the login a member as well, so that a process that
 * has no other login can take them on.
 *
 * @throws StartError with the statements for an administrator where roles are missing and the login may not make them
 */
export async function ensureDatabaseRoles(client: pg.Client): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { rows } = await client.query<{ role: string }>(MISSING, [DATABASE_ROLES])
    const missing = rows.map(({ role }) => role)
    try {
      for (const role of missing) await client.query(`create role ${role} nologin`)
      break
    } catch (error) {
      if (codeOf(error) === NOT_ALLOWED) throw await missingRoles(client, missing)
      if (attempt === ATTEMPTS || !LOST_RACE.includes(codeOf(error))) throw error
    }
  }
  const { rows } = await client.query<{ statement: string }>(NOT_A_MEMBER, [DATABASE_ROLES])
  for (const { statement } of rows) {
    await client.query(statement).catch((error: unknown) => {
      // A login that only migrates needs no membership; one that needs it is told so.
      if (![NOT_ALLOWED, ...LOST_RACE].includes(codeOf(error))) throw error
    })
  }
}

/**
 * Temporary tables are for nobody but the owner. This is a right of the database and not of what lies in it: a dump leaves it
 * out, and so does a copy. A login that does not own the database changes nothing, and gets a warning from PostgreSQL.
 */
export async function revokeTemporary(client: pg.Client): Promise<void> {
  await client.query(`
    do $$ begin
      if has_database_privilege('public', current_database(), 'temporary') then
        execute format('revoke temporary on database %I from public', current_database());
      end if;
    end $$`)
}

async function missingRoles(client: pg.Client, missing: string[]): Promise<StartError> {
  const { rows } = await client.query<{ login: string }>('select quote_ident(session_user) as login')
  const login = rows[0]?.login ?? ''
  const statements = [
    ...missing.map((role) => `create role ${role} nologin;`),
    `grant ${DATABASE_ROLES.join(', ')} to ${login};`
  ]
  return new StartError(
    `The login ${login} may not make the roles that the API and the worker have in the database. Have an administrator of the server run this once, then start again. The last line is for a process that has no other login.\n${statements.map((statement) => `  ${statement}`).join('\n')}`
  )
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? ''
}
