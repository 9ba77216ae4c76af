import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Finding } from '../../src/command/doctor/finding.js'
import { bootConclave, programEnvironment, type TestConclave } from '../support/boot.js'
import { createConversation } from '../support/chat.js'
import { localMasterKeys } from '../support/master-key-config.js'
import { freePort, InstalledProgram } from '../support/program.js'
import { canStartRedis, RedisServer } from '../support/redis.js'
import { createTestDatabase } from '../support/test-database.js'

/** `conclave doctor` on set-ups that are as they should be, and on one with each fault. */

const CLOCK = new URL('../support/shifted-clock.mjs', import.meta.url).href

let program: InstalledProgram
let conclave: TestConclave
let env: Record<string, string>

beforeAll(async () => {
  program = await InstalledProgram.built()
  conclave = await bootConclave({}, localMasterKeys('a'))
  env = { ...programEnvironment(conclave), ...(localMasterKeys('a') as Record<string, string>) }
  await createConversation(await conclave.as('alice'), [])
}, 180_000)
afterAll(async () => {
  await conclave.close()
  await program.remove()
})

describe('conclave doctor', () => {
  it('finds nothing wrong with what is as it should be', async () => {
    const { code, stdout, stderr } = await program.command(['doctor'], { ...env, NODE_ENV: 'test' })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).not.toMatch(/^(warning|FAULT)/m)
    for (const check of ['configuration', 'database', 'migrations', 'logins', 'redis', 'master key', 'keys', 'clock']) {
      expect(stdout).toMatch(new RegExp(`^ok {5,}${check} `, 'm'))
    }
    expect(stdout).toContain('local:a wraps new keys; 1 keys lie under it.')
  })

  it('finds every problem of the environment, and looks no further', async () => {
    const { code, findings } = await examine({ ...env, KEY_BITS: '1', PORT: 'x', MASTER_KEY: 'local:none' })
    expect(code).toBe(3)
    const faults = findings.filter(({ state }) => state === 'FAULT')
    expect(faults.map(({ check }) => check)).toEqual(Array(3).fill('configuration'))
    for (const name of ['KEY_BITS', 'PORT', 'MASTER_KEY']) {
      expect(faults.some(({ words }) => words.startsWith(name) || words.includes('local:none'))).toBe(true)
    }
    expect(findings.filter(({ state }) => state === 'NOT_CHECKED')).toHaveLength(7)
  })

  it('finds a database that cannot be reached, and looks at what does not need it', async () => {
    const url = 'postgres://somebody:hush@127.0.0.1:1/none'
    const { code, findings, stdout } = await examine({ ...env, DATABASE_URL: url })
    expect([code, stdout.includes('hush')]).toEqual([3, false])
    expect(of(findings, 'database')).toEqual([
      ['FAULT', expect.stringMatching(/cannot be reached \(ECONNREFUSED\)\. Check DATABASE_URL/)]
    ])
    expect(of(findings, 'master key')).toEqual([['OK', 'local:a wraps new keys.']])
    for (const check of ['migrations', 'logins', 'keys', 'clock'] as const) {
      expect(of(findings, check)).toMatchObject([['NOT_CHECKED', expect.anything()]])
    }
  })

  it('finds a login of a part with the wrong password, by its variable', async () => {
    const url = new URL(conclave.database.urlOf('conclave_api'))
    url.password = 'wrong'
    const { code, findings } = await examine({ ...env, API_DATABASE_URL: url.href })
    expect(code).toBe(3)
    expect(of(findings, 'database')).toContainEqual([
      'FAULT',
      expect.stringMatching(/\(28P01\)\. Check API_DATABASE_URL/)
    ])
  })

  it('finds migrations that are missing: for who has the owner’s login, and for who has not', async () => {
    const empty = await createTestDatabase({ empty: true })
    try {
      const owner = await examine({ ...env, DATABASE_URL: empty.url })
      expect(owner.code).toBe(0)
      expect(of(owner.findings, 'migrations')).toEqual([
        ['WARNING', expect.stringContaining('The next start applies them')]
      ])
      const { DATABASE_URL: _, ...rest } = env
      const part = await examine({ ...rest, API_DATABASE_URL: empty.urlOf('conclave_api') })
      expect(part.code).toBe(3)
      expect(of(part.findings, 'migrations')).toEqual([['FAULT', expect.stringContaining('Run npm run -s migrate')]])
      // It has changed nothing.
      expect(await empty.query(`select to_regclass('conversations') as found`)).toEqual([{ found: null }])
    } finally {
      await empty.drop()
    }
  })

  it('finds a login that may not act as its part', async () => {
    const { DATABASE_URL: _, ...rest } = env
    const { code, findings } = await examine({ ...rest, API_DATABASE_URL: conclave.database.urlOf('conclave_worker') })
    expect(code).toBe(3)
    expect(of(findings, 'logins')).toEqual([['FAULT', expect.stringContaining('may not act as conclave_api')]])
  })

  it('finds one login for everything in production, as a warning', async () => {
    const { code, findings } = await examine({ ...env, NODE_ENV: 'production' })
    expect(code).toBe(0)
    expect(of(findings, 'logins')).toContainEqual(['WARNING', expect.stringContaining('owns the tables')])
  })

  it('finds another secret under the name of a master key', async () => {
    const other = `a=${Buffer.alloc(32, 'other').toString('base64')}`
    const { code, findings, stdout } = await examine({ ...env, MASTER_SECRETS: other })
    expect([code, stdout.includes(other)]).toEqual([3, false])
    expect(of(findings, 'master key')).toContainEqual(['FAULT', expect.stringContaining('local:a is not the key that')])
  })

  it('finds keys under a master key that is not configured', async () => {
    const { code, findings } = await examine({ ...env, ...(localMasterKeys('b') as Record<string, string>) })
    expect(code).toBe(3)
    expect(of(findings, 'master key')).toContainEqual([
      'FAULT',
      expect.stringMatching(/^1 keys lie under local:a, which is not configured: name it in MASTER_KEYS_RETIRING/)
    ])
  })

  it('finds a key service that does not answer', { timeout: 60_000 }, async () => {
    const port = await freePort()
    const { code, findings } = await examine({
      ...env,
      MASTER_KEYS_RETIRING: 'vault:transit/conclave',
      VAULT_ADDR: `http://127.0.0.1:${port}`,
      VAULT_TOKEN: 'hush',
      MASTER_KEY_TIMEOUT: 'PT1S'
    })
    expect(code).toBe(3)
    expect(of(findings, 'master key')).toContainEqual(['FAULT', expect.stringContaining('vault:transit/conclave')])
  })

  it.each([
    ['10000', 'WARNING', 0],
    ['90000', 'FAULT', 3]
  ])('finds a clock that is %s ms ahead of the database’s', async (aheadMs, state, expected) => {
    const shifted = { CLOCK_AHEAD_MS: aheadMs, NODE_OPTIONS: `--import=${CLOCK}` }
    const { code, findings } = await examine({ ...env, ...shifted })
    expect(of(findings, 'clock')).toEqual([
      [state, expect.stringMatching(/is \d+\.\d s ahead of that of the database\..*NTP/)]
    ])
    expect(code).toBe(expected)
  })

  it('finds rotations that nobody makes', async () => {
    const due = `update conversations set key_used = true, key_rotates_at = now() - interval '1 day'`
    await conclave.database.query(due)
    const { code, findings } = await examine(env)
    expect(of(findings, 'keys')).toEqual([
      ['WARNING', expect.stringMatching(/^1 rotations are overdue: see that a worker runs/)]
    ])
    expect(code).toBe(0)
  })

  it('finds that nothing was started yet in a new folder', async () => {
    const { code, findings } = await examine({ DATA_DIR: 'new' })
    expect(code).toBe(0)
    expect(of(findings, 'database')).toEqual([
      ['WARNING', expect.stringContaining('conclave start makes the database')]
    ])
    expect(of(findings, 'master key')).toEqual([['WARNING', expect.stringContaining('conclave start generates it')]])
  })

  it('finds a secret that others can read', async () => {
    const path = join(program.folder, 'secrets')
    writeFileSync(path, env.MASTER_SECRETS ?? '', { mode: 0o644 })
    const { MASTER_SECRETS: _, ...rest } = env
    const { code, findings } = await examine({ ...rest, MASTER_SECRETS_FILE: path })
    expect([code, of(findings, 'configuration')[0]]).toEqual([
      3,
      ['FAULT', expect.stringContaining(`chmod 600 ${path}`)]
    ])
  })
})

describe.runIf(canStartRedis)('conclave doctor on a Redis', () => {
  it('finds it well, away, closed to the password, set to throw things away, and refusing writes', async () => {
    const redis = await RedisServer.start('--requirepass', 'right')
    const url = (password: string) => `redis://:${password}@127.0.0.1:${redis.port}`
    try {
      const well = await examine({ ...env, REDIS_URL: url('right') })
      expect(of(well.findings, 'redis')).toEqual([
        ['OK', expect.stringMatching(/^Redis \d+\.\S+ at 127\.0\.0\.1:\d+ answers/)]
      ])
      expect(of(well.findings, 'clock')).toHaveLength(2)
      const closed = await examine({ ...env, REDIS_URL: url('wrong-one') })
      expect(of(closed.findings, 'redis')).toEqual([['FAULT', expect.stringContaining('WRONGPASS')]])
      expect(closed.stdout).not.toContain('wrong-one')
    } finally {
      await redis.stop()
    }
    const away = await examine({ ...env, REDIS_URL: url('right') })
    expect(away.code).toBe(3)
    expect(of(away.findings, 'redis')).toEqual([
      ['FAULT', expect.stringMatching(/cannot be used \(.*ECONNREFUSED.*\)\. Check REDIS_URL/)]
    ])
    const full = await RedisServer.start('--maxmemory-policy', 'allkeys-lru')
    try {
      const { code, findings } = await examine({ ...env, REDIS_URL: full.url })
      expect(code).toBe(0)
      expect(of(findings, 'redis')).toContainEqual(['WARNING', expect.stringContaining('Set it to noeviction')])
      await full.refuseWrites('it is a replica')
      const refusing = await examine({ ...env, REDIS_URL: full.url })
      expect(refusing.code).toBe(3)
      expect(of(refusing.findings, 'redis')).toContainEqual([
        'FAULT',
        expect.stringMatching(/answers, and refuses writes \(READONLY .*\): jobs wait/)
      ])
      expect(await full.ask('DBSIZE')).toEqual([0])
    } finally {
      await full.stop()
    }
  })
})

async function examine(variables: Record<string, string>) {
  const { code, stdout, stderr } = await program.command(['doctor', '--json'], variables)
  expect(stderr).toBe('')
  return {
    code,
    stdout,
    findings: stdout
      .trim()
      .split('\n')
      .map((line): Finding => JSON.parse(line))
  }
}

function of(findings: Finding[], check: Finding['check']): [Finding['state'], string][] {
  return findings.filter((finding) => finding.check === check).map(({ state, words }) => [state, words])
}
