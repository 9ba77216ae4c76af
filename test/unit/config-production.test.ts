import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { loadConfig, loadMigrationConfig } from '../../src/config.js'
import { problemsOf } from './config-problems.js'
import { thrownBy } from './failures.js'

describe('production', () => {
  const complete = {
    NODE_ENV: 'production',
    DATABASE_URL: 'postgres://conclave@db.example.com/conclave',
    MASTER_KEY: 'local:2026-11',
    MASTER_SECRETS: `2026-11=${randomBytes(32).toString('base64')}`,
    AUTH_JWKS_URL: 'https://id.example.com/jwks',
    AUTH_ISSUER: 'https://id.example.com/',
    AUTH_AUDIENCE: 'conclave'
  }

  it('refuses every development default at once', () => {
    expect(problemsOf({ NODE_ENV: 'production' })).toEqual([
      'MASTER_SECRETS or MASTER_SECRETS_FILE is missing: none is generated (NODE_ENV is production).',
      'DATABASE_URL is missing: the embedded database is for development (NODE_ENV is production).',
      'AUTH_JWT_SECRET or AUTH_JWKS_URL is missing: none is generated (NODE_ENV is production).'
    ])
  })

  it.each([
    ['DATABASE_URL', /^DATABASE_URL is missing/],
    ['MASTER_SECRETS', /^MASTER_SECRETS or MASTER_SECRETS_FILE is missing/],
    ['MASTER_KEY', /^MASTER_KEY is missing/],
    ['AUTH_ISSUER', /^AUTH_ISSUER is missing/],
    ['AUTH_AUDIENCE', /^AUTH_AUDIENCE is missing/],
    ['AUTH_JWKS_URL', /^AUTH_JWT_SECRET or AUTH_JWKS_URL is missing/]
  ])('refuses to do without %s, left out or empty', (variable, problem) => {
    const { [variable]: _, ...without } = complete as NodeJS.ProcessEnv
    expect(problemsOf(without)).toEqual([expect.stringMatching(problem)])
    expect(problemsOf({ ...complete, [variable]: '' })).toEqual([expect.stringMatching(problem)])
  })

  it.each(['API_DATABASE_URL', 'WORKER_DATABASE_URL'])(
    'does with %s alone, which is no owner of the tables',
    (variable) => {
      const { DATABASE_URL, ...without } = complete
      const config = loadConfig({ ...without, [variable]: DATABASE_URL })
      expect([config.databaseUrl, config.apiDatabaseUrl ?? config.workerDatabaseUrl]).toEqual([null, DATABASE_URL])
    }
  )

  it('migrates with the login of the owner and nothing else of its configuration', () => {
    expect(thrownBy(() => loadMigrationConfig({ API_DATABASE_URL: complete.DATABASE_URL }))).toMatchObject({
      problems: ['DATABASE_URL is missing: the login that owns the tables, or is to own them.']
    })
    expect(thrownBy(() => loadMigrationConfig({ DATABASE_URL: 'here', REDIS_URL: 'there' }))).toMatchObject({
      problems: [expect.stringMatching(/^DATABASE_URL must be/), expect.stringMatching(/^REDIS_URL must be/)]
    })
    expect(loadMigrationConfig({ DATABASE_URL: complete.DATABASE_URL, REDIS_URL: '' })).toEqual({
      databaseUrl: complete.DATABASE_URL,
      redisUrl: null
    })
  })

  it.each(['http://id.example.com/jwks', 'HTTP://id.example.com/jwks'])(
    'refuses the key set %s, in whose place anybody on the way could put another',
    (url) => {
      expect(problemsOf({ ...complete, AUTH_JWKS_URL: url })).toEqual([
        'AUTH_JWKS_URL must be an https:// URL (NODE_ENV is production).'
      ])
    }
  )

  it('starts with a database, a master key and an identity provider of its own', () => {
    const config = loadConfig(complete)
    expect(config).toMatchObject({ mode: 'production', databaseUrl: complete.DATABASE_URL, masterKey: 'local:2026-11' })
    expect(config.authentication).toMatchObject({ issuer: complete.AUTH_ISSUER, audience: complete.AUTH_AUDIENCE })
    expect(config.authentication.jwksUrl?.href).toBe(complete.AUTH_JWKS_URL)
  })
})
