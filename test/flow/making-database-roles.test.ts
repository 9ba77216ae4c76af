import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { compose } from '../../src/compose.js'
import { type Config, loadConfig } from '../../src/config.js'
import { checkLogin } from '../../src/database/check-login.js'
import { databaseLogin } from '../../src/database/database-login.js'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded-postgres.js'
import { migrate } from '../../src/database/migrate.js'
import { migrateAll, type Part } from '../../src/database-access.js'
import { createLogger } from '../../src/log.js'
import { documentedSql } from '../support/documented-sql.js'

/** Roles are of a whole server, so this one is the tests' own: each begins without them. */

const ROLES = ['conclave_api', 'conclave_worker']

let folder: string
let postgres: EmbeddedPostgres
let administrator: pg.Client

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'conclave-test-'))
  await chmod(folder, 0o711)
  postgres = await startEmbeddedPostgres(folder, 'a password of these tests')
  administrator = new pg.Client({ connectionString: urlOf('postgres') })
  await administrator.connect()
})
afterAll(async () => {
  await administrator.end()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  const databases = await names(
    `select datname as name from pg_database where datname <> 'postgres' and not datistemplate`
  )
  for (const name of databases) await administrator.query(`drop database ${name} with (force)`)
  const roles = await names(`select rolname as name from pg_roles where rolname not like 'pg\\_%' and not rolsuper`)
  for (const name of roles) await administrator.query(`drop owned by ${name}; drop role ${name}`)
})

describe('an owner who may make no roles', () => {
  beforeEach(async () => {
    await administrator.query(`create role plain login password 'p'`)
    await administrator.query('create database plain owner plain')
  })

  it('is told what an administrator has to run, and migrates once that was run', async () => {
    const refusal = await migrate(urlOf('plain', 'plain')).catch((error: Error) => error)
    expect(refusal).toMatchObject({ name: 'StartError', message: expect.stringContaining('The login plain may not') })
    const statements = (refusal as Error).message.split('\n').slice(1).join('\n')
    expect(statements.match(/create role|grant/g)).toEqual(['create role', 'create role', 'grant'])
    await administrator.query(statements)
    await migrate(urlOf('plain', 'plain'))
    for (const part of ['api', 'worker'] as const)
      await (await start({ databaseUrl: urlOf('plain', 'plain') }, part)).close()
  })

  it('migrates without being a member of the roles, and then is no API', async () => {
    for (const role of ROLES) await administrator.query(`create role ${role}`)
    await migrate(urlOf('plain', 'plain'))
    await expect(start({ databaseUrl: urlOf('plain', 'plain') }, 'api')).rejects.toThrow(
      `The database's login plain may not act as conclave_api. Have an administrator of the server run: grant conclave_api to plain;`
    )
  })
})

it('an owner who may make roles, and is no superuser, makes them and can be either', async () => {
  await administrator.query(`create role maker login createrole password 'p'`)
  await administrator.query('create database made owner maker')
  const url = urlOf('made', 'maker')
  for (const part of ['api', 'worker'] as const) await (await start({ databaseUrl: url }, part)).close()
  expect(await names(`select rolname as name from pg_roles where rolname like 'conclave\\__%' order by 1`)).toEqual(
    ROLES
  )
})

it('several databases of a server that are migrated at once share the roles', async () => {
  const databases = Array.from({ length: 6 }, (_, n) => `at_once_${n}`)
  for (const name of databases) await administrator.query(`create database ${name}`)
  await Promise.all(databases.map((name) => migrateAll(urlOf(name), { redisUrl: null })))
  for (const name of databases)
    for (const role of ['conclave_api', 'conclave_worker'] as const) {
      expect(await checkLogin(databaseLogin(urlOf(name), role), role)).toHaveLength(1)
    }
})

describe('three logins, made by the documented statements', () => {
  let urls: Record<'owner' | Part, string>

  beforeEach(async () => {
    // Each by itself: a database is made in no transaction.
    for (const block of documentedSql('Three logins for the database', 'operations'))
      for (const statement of block.split(/;\n/).filter(Boolean)) await administrator.query(statement)
    urls = {
      owner: urlOf('conclave', 'conclave_owner', 'change me, owner'),
      api: urlOf('conclave', 'conclave_api_1', 'change me, api'),
      worker: urlOf('conclave', 'conclave_worker_1', 'change me, worker')
    }
  })

  it('do not start on a database that is not migrated, nor as what they are not', async () => {
    await expect(start({ apiDatabaseUrl: urls.api }, 'api')).rejects.toThrow('Run npm run -s migrate first')
    await migrateAll(urls.owner, { redisUrl: null })
    await expect(start({ apiDatabaseUrl: urls.worker }, 'api')).rejects.toThrow('may not act as conclave_api')
    await expect(start({ apiDatabaseUrl: urls.api }, 'worker')).rejects.toThrow('WORKER_DATABASE_URL is missing')
  })

  it('start apart and together, with nothing to be warned about', async () => {
    await migrateAll(urls.owner, { redisUrl: null })
    const both = { apiDatabaseUrl: urls.api, workerDatabaseUrl: urls.worker, mode: 'production' as const }
    for (const parts of [['api'], ['worker'], ['api', 'worker']] as Part[][]) {
      const { close, logged } = await start(both, ...parts)
      expect(logged()).not.toContain('"level":40')
      await close()
    }
    const { close, logged } = await start(
      { databaseUrl: urls.owner, workerDatabaseUrl: urls.worker, mode: 'production' },
      'worker'
    )
    expect(logged()).not.toContain('"level":40')
    await close()
  })

  it('have no rights in what was restored before the roles were there, and say so', async () => {
    await migrateAll(urls.owner, { redisUrl: null })
    const owner = new pg.Client({ connectionString: urls.owner })
    await owner.connect()
    await owner.query('revoke all on conversations from conclave_api')
    await owner.end()
    await expect(start({ apiDatabaseUrl: urls.api }, 'api')).rejects.toThrow(
      'conclave_api has no rights in the database'
    )
  })
})

it('one login for everything is warned about in production', async () => {
  await administrator.query('create database one')
  const { close, logged } = await start({ databaseUrl: urlOf('one'), mode: 'production' }, 'api')
  expect(logged()).toContain('the login conclave owns the tables')
  await close()
})

/** Composes a process of these parts, as far as it goes without a port. */
async function start(overrides: Partial<Config>, ...parts: Part[]) {
  const lines: string[] = []
  const destination = new Writable({ write: (line, _, done) => done(void lines.push(String(line))) })
  const log = createLogger('warn', destination)
  const variables = {
    NODE_ENV: 'test',
    AUTH_JWT_SECRET: 'only for tests, and long enough for HS256',
    MASTER_KEY: 'local:test',
    MASTER_SECRETS: `test=${Buffer.alloc(32, 7).toString('base64')}`
  }
  const { close } = await compose({ ...loadConfig(variables), ...overrides }, log, { parts })
  return { close, logged: () => lines.join('') }
}

function urlOf(database: string, user?: string, password = 'p'): string {
  const url = new URL(postgres.url)
  url.pathname = `/${database}`
  if (user) Object.assign(url, { username: user, password })
  return url.href
}

async function names(query: string): Promise<string[]> {
  return (await administrator.query<{ name: string }>(query)).rows.map(({ name }) => name)
}
