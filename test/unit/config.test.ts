import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type Config, loadConfig } from '../../src/config.js'
import { configErrorOf, problemsOf } from './config-problems.js'

const secret = () => randomBytes(32).toString('base64')
/** An identity provider, complete. */
const provider = {
  AUTH_JWKS_URL: 'https://id.example.com/jwks',
  AUTH_ISSUER: 'https://id.example.com/',
  AUTH_AUDIENCE: 'conclave'
}
const REDIS = 'redis:// or rediss:// or redis-cluster:// or rediss-cluster:// URL'
const CLUSTER = 'must name the nodes of a cluster as redis-cluster://host:port?node=host:port&node=host:port.'
const anAllowance = 'must be a number and the duration in which there may be so many, such as 60/PT1M.'
const aDuration = 'must be an ISO 8601 duration of one millisecond to ten years, such as PT15S or P30D.'

describe('a wrong environment', () => {
  it.each([
    ['NODE_ENV', 'staging', 'must be development, production or test.'],
    ['PORT', '-1', 'must be a whole number.'],
    ['PORT', '4000.5', 'must be a whole number.'],
    ['PORT', '0x50', 'must be a whole number.'],
    ['PORT', '65536', 'must be at most 65535.'],
    ['DATABASE_URL', 'localhost', 'must be a postgres:// or postgresql:// URL.'],
    ['DATABASE_URL', 'mysql://localhost/conclave', 'must be a postgres:// or postgresql:// URL.'],
    ['API_DATABASE_URL', 'localhost', 'must be a postgres:// or postgresql:// URL.'],
    ['WORKER_DATABASE_URL', 'localhost', 'must be a postgres:// or postgresql:// URL.'],
    ['REDIS_URL', 'localhost:6379', `must be a ${REDIS}.`],
    ['REDIS_URL', 'http://localhost:6379', `must be a ${REDIS}.`],
    ['REDIS_URL', 'redis-cluster://a:7000?node=b%20c', CLUSTER],
    ['REDIS_URL', 'redis-cluster://a:7000?node=', CLUSTER],
    ['REDIS_URL', 'rediss-cluster://a:7000?node=redis://b:7000', CLUSTER],
    ['DATABASE_POOL_MAX', '1', 'must be at least 2.'],
    ['AUTH_JWT_SECRET', 'x'.repeat(31), 'must have at least 32 bytes (RFC 7518, section 3.2).'],
    ['KEY_BITS', '1024', 'must be 2048, 3072 or 4096.'],
    ['KEY_BITS', '3072 ', 'must be 2048, 3072 or 4096.'],
    ['KEY_ROTATE_AFTER', '30d', aDuration],
    ['KEY_ROTATE_AFTER', '-P30D', aDuration],
    ['KEY_ROTATE_AFTER', 'P11Y', aDuration],
    ['KEY_POOL_TARGET', 'many', 'must be a whole number.'],
    ['DATA_KEY_MAX_MESSAGES', '9', 'must be at least 10.'],
    ['DATA_KEY_MAX_MESSAGES', '4294967296', 'must be at most 2147483647.'],
    ['DATA_KEY_MAX_AGE', 'PT0S', aDuration],
    ['DATA_KEY_MAX_AGE', 'PT0.0009S', aDuration],
    ['DATA_KEY_CACHE_TTL', '300', aDuration],
    ['DATA_KEY_CACHE_TTL', 'PT0.0009S', aDuration],
    ['DATA_KEY_CACHE_TTL', 'PT24H0.001S', 'must not be longer than PT24H.'],
    ['DATA_KEY_CACHE_TTL', 'P1M', 'must not be longer than PT24H.'],
    ['DATA_KEY_CACHE_MAX', '0', 'must be at least 1.'],
    ['SCAN_EVERY', 'often', aDuration],
    ['SCAN_EVERY', 'P2D', 'must not be longer than PT24H.'],
    ['SCAN_EVERY', 'P1Y', 'must not be longer than PT24H.'],
    ['SCAN_EVERY', 'P11Y', aDuration],
    ['MAX_BODY_BYTES', '0', 'must be at least 1.'],
    ['MAX_BODY_BYTES', '64k', 'must be a whole number.'],
    ['QUERY_MAX_DEPTH', '0', 'must be at least 1.'],
    ['QUERY_MAX_TOKENS', '3001', 'must be at most 3000.'],
    ['QUERY_MAX_COST', 'none', 'must be a whole number.'],
    ['RATE_LIMITS', 'maybe', 'must be on or off.'],
    ['RATE_LIMIT_SENDS', '600', anAllowance],
    ['RATE_LIMIT_SENDS', '0/PT1M', anAllowance],
    ['RATE_LIMIT_CREATES', '6/1m', anAllowance],
    ['RATE_LIMIT_KEY_OPERATIONS', '6/P2D', anAllowance],
    ['RATE_LIMIT_CONNECTIONS', '-1/PT1M', anAllowance],
    ['RATE_LIMIT_REFUSALS', 'few', anAllowance],
    ['SOCKETS_PER_USER', '0', 'must be at least 1.'],
    ['OPERATIONS_PER_SOCKET', 'all', 'must be a whole number.'],
    ['TRUSTED_PROXIES', '10.0.0.0/8, proxy', 'must list addresses, networks or loopback.'],
    ['ALLOWED_ORIGINS', 'https://chat.example/', 'must list origins such as https://chat.example.'],
    ['ALLOWED_ORIGINS', '*', 'must list origins such as https://chat.example.'],
    ['REQUEST_TIMEOUT', '30', aDuration],
    ['RESPONSE_TIMEOUT', '30', aDuration],
    ['MAX_CONNECTIONS', '0', 'must be at least 1.'],
    ['INTROSPECTION', 'yes', 'must be on or off.'],
    ['JOB_BOARD', 'readonly', 'must be off, read-only or writable.'],
    ['METRICS_PORT', '65536', 'must be at most 65535.'],
    ['METRICS_TOKEN', 'fifteen-letters', 'must have at least 16 characters, and no spaces.'],
    ['METRICS_TOKEN', 'a token that has spaces', 'must have at least 16 characters, and no spaces.'],
    ['METRICS_COUNT_EVERY', '30', aDuration],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'localhost:4318', 'must be an https:// or http:// URL.'],
    ['OTEL_TRACES_SAMPLER_ARG', '10%', 'must be a number from 0 to 1.'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5', 'must be a number from 0 to 1.'],
    ['LOG_LEVEL', 'verbose', 'must be a level of pino: debug, info, warn, error.']
  ])('with %s=%s gives one sentence, naming the variable', (variable, value, sentence) => {
    expect(problemsOf({ [variable]: value })).toEqual([`${variable} ${sentence}`])
  })

  it.each(['local:', 'local:a b', 'local:a/b', `local:${'x'.repeat(65)}`, 'hsm:a', 'a'])(
    'with MASTER_KEY=%s, or one to retire, gives one sentence, naming the variable',
    (uri) => {
      const masterSecrets = { MASTER_SECRETS: `a=${secret()}` }
      expect(problemsOf({ ...masterSecrets, MASTER_KEY: uri })).toEqual([
        expect.stringMatching(/^MASTER_KEY must .*\.$/)
      ])
      expect(problemsOf({ ...masterSecrets, MASTER_KEY: 'local:a', MASTER_KEYS_RETIRING: `local:a,${uri}` })).toEqual([
        expect.stringMatching(/^MASTER_KEYS_RETIRING must .*\.$/)
      ])
    }
  )

  it('says once what is wrong in the same way several times', () => {
    const env = { MASTER_SECRETS: `a=${secret()}`, MASTER_KEY: 'local:a', MASTER_KEYS_RETIRING: 'b c,d e' }
    expect(problemsOf(env)).toEqual([expect.stringMatching(/^MASTER_KEYS_RETIRING must /)])
  })

  it.each(['id.example.com', 'file:///etc/jwks.json'])('with AUTH_JWKS_URL=%s asks for a URL to fetch', (url) => {
    expect(problemsOf({ ...provider, AUTH_JWKS_URL: url })).toEqual([
      'AUTH_JWKS_URL must be a https:// or http:// URL.'
    ])
  })

  it('with both a shared secret and a key set has to choose', () => {
    expect(problemsOf({ ...provider, AUTH_JWT_SECRET: secret() })).toEqual([
      'AUTH_JWT_SECRET and AUTH_JWKS_URL are both set: set one of them.'
    ])
  })

  it.each([
    ['AUTH_ISSUER', 'AUTH_ISSUER is missing: with AUTH_JWKS_URL say whose tokens are good.'],
    ['AUTH_AUDIENCE', 'AUTH_AUDIENCE is missing: with AUTH_JWKS_URL say for whom tokens must be made.']
  ])('with a key set takes no token of anybody: without %s, left out or empty, it says so', (variable, problem) => {
    const { [variable]: _, ...without } = provider as NodeJS.ProcessEnv
    expect(problemsOf(without)).toEqual([problem])
    expect(problemsOf({ ...provider, [variable]: '' })).toEqual([problem])
  })

  it('gives every problem at once', () => {
    const wrong = {
      NODE_ENV: 'prod',
      PORT: 'http',
      DATABASE_URL: 'here',
      DATABASE_POOL_MAX: '0',
      MASTER_KEY: 'here',
      MASTER_KEYS_RETIRING: 'there',
      MASTER_SECRETS: 'none',
      AUTH_JWT_SECRET: 'short',
      AUTH_JWKS_URL: 'nowhere',
      KEY_BITS: '512',
      KEY_ROTATE_AFTER: 'never',
      KEY_POOL_TARGET: '-1',
      DATA_KEY_MAX_MESSAGES: 'all',
      DATA_KEY_MAX_AGE: 'old',
      DATA_KEY_CACHE_TTL: 'long',
      DATA_KEY_CACHE_MAX: 'big',
      SCAN_EVERY: 'now',
      MAX_BODY_BYTES: 'huge',
      LOG_LEVEL: 'loud'
    }
    const problems = problemsOf(wrong)
    const missing = ['AUTH_ISSUER', 'AUTH_AUDIENCE']
    expect(new Set(problems.map((problem) => problem.split(' ')[0]))).toEqual(
      new Set([...Object.keys(wrong), ...missing])
    )
    expect(new Set(problems).size).toBe(problems.length)
    for (const problem of problems) expect(problem).toMatch(/^[A-Z_]+ .+\.$/)
  })

  it('that would destroy keys before it rotates them is refused', () => {
    expect(problemsOf({ KEY_ROTATE_AFTER: 'P30D', KEY_DESTROY_AFTER: 'P29D' })).toEqual([
      'KEY_DESTROY_AFTER must not be shorter than KEY_ROTATE_AFTER.'
    ])
  })

  it('never has a secret among its problems', () => {
    const secrets = {
      AUTH_JWT_SECRET: 'hunter2-jwt',
      DATABASE_URL: 'mysql://conclave:hunter2-database@localhost/conclave',
      AUTH_JWKS_URL: 'ftp://reader:hunter2-jwks@localhost/',
      MASTER_SECRETS: `a=hunter2-short,hunter2-without-id,b=${secret()},b=${secret()}`
    }
    const error = configErrorOf(secrets)
    expect(error.problems.map((problem) => problem.split(' ')[0])).toEqual(expect.arrayContaining(Object.keys(secrets)))
    const shown = `${inspect(error, { depth: 9 })} ${error.stack} ${JSON.stringify(error)}`
    expect(shown).not.toContain('hunter2')
    for (const entry of secrets.MASTER_SECRETS.split(',')) expect(shown).not.toContain(entry.slice(2))
  })
})

describe('an environment', () => {
  it('that is empty gives the documented defaults', () => {
    expect(loadConfig({})).toMatchObject({
      mode: 'development',
      host: '127.0.0.1',
      port: 4000,
      dataDir: resolve('.data'),
      databaseUrl: null,
      masterKey: 'local:dev',
      retiringMasterKeys: [],
      masterKeyTimeoutMs: 5000,
      authentication: { jwtSecret: null, jwksUrl: null, issuer: null, audience: null },
      keyBits: 3072,
      keyPolicy: { rotateAfter: 'P30D', rotateAfterMessages: null, destroyAfter: null, rotateOnMemberRemoval: true },
      keyPoolTarget: 16,
      dataKeyMaxMessages: 1000,
      dataKeyMaxAge: 'PT24H',
      dataKeyCacheTtlMs: 300_000,
      dataKeyCacheMax: 10_000,
      scanEveryMs: 15_000,
      maxBodyBytes: 65_536
    })
  })

  it('whose variables are set to nothing gives the same defaults', () => {
    const empty = { HOST: '', PORT: '', DATABASE_URL: '', AUTH_JWT_SECRET: '', KEY_BITS: '', SCAN_EVERY: '' }
    const settings = ({ openMasterKey: _, ...rest }: Config) => rest
    expect(settings(loadConfig(empty))).toEqual(settings(loadConfig({})))
  })

  it('may have a day at most between two looks at the keys, and in the cache', () => {
    expect(loadConfig({ SCAN_EVERY: 'PT24H', DATA_KEY_CACHE_TTL: 'P1D' })).toMatchObject({
      scanEveryMs: 86_400_000,
      dataKeyCacheTtlMs: 86_400_000
    })
    expect(loadConfig({ SCAN_EVERY: 'PT0.0019S' }).scanEveryMs).toBe(1)
  })

  it('outside of production may have a key set on http, as a stand-in on the same machine has', () => {
    const config = loadConfig({ ...provider, AUTH_JWKS_URL: 'http://127.0.0.1:9000/jwks' })
    expect(config.authentication.jwksUrl?.href).toBe('http://127.0.0.1:9000/jwks')
  })

  it('may have as few as ten messages to a data key', () => {
    expect(loadConfig({ DATA_KEY_MAX_MESSAGES: '10' }).dataKeyMaxMessages).toBe(10)
  })

  it('decides what is set', () => {
    const given = { HOST: '::', PORT: '0', DATA_DIR: '/var/lib/x', KEY_BITS: '4096', DATA_KEY_CACHE_TTL: 'PT1.5S' }
    const identity = { AUTH_JWT_SECRET: 'é'.repeat(16), AUTH_ISSUER: 'https://id', AUTH_AUDIENCE: 'conclave' }
    const config = loadConfig({ ...given, ...identity, KEY_ROTATE_AFTER: 'P1M', SOMETHING_ELSE: 'ignored' })
    expect(config).toMatchObject({ host: '::', port: 0, dataDir: '/var/lib/x', keyBits: 4096 })
    expect(config).toMatchObject({ dataKeyCacheTtlMs: 1500, keyPolicy: { rotateAfter: 'P1M' } })
    expect(config.authentication).toMatchObject({
      issuer: 'https://id',
      audience: 'conclave',
      jwtSecret: 'é'.repeat(16)
    })
  })
})
