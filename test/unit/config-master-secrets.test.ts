import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigError, loadConfig } from '../../src/config.js'
import { thrownBy } from './failures.js'

const one = randomBytes(32).toString('base64')
const two = randomBytes(32).toString('base64')
const base64Of = (bytes: number) => randomBytes(bytes).toString('base64')

describe('master secrets', () => {
  it.each([
    ['no id', one],
    ['an empty id', `=${one}`],
    ['an id with a slash', `a/b=${one}`],
    ['an id of 65 characters', `${'x'.repeat(65)}=${one}`],
    ['no secret', 'b='],
    ['31 bytes', `b=${base64Of(31)}`],
    ['33 bytes', `b=${base64Of(33)}`],
    ['64 bytes', `b=${base64Of(64)}`],
    ['hexadecimal digits', `b=${randomBytes(32).toString('hex')}`],
    ['base64 without its padding', `b=${one.slice(0, -1)}`],
    ['the alphabet of base64url', `b=${Buffer.alloc(32, 0xff).toString('base64url')}=`]
  ])('are refused for an entry with %s, which is told by its number', (_, entry) => {
    expect(problemsOf({ MASTER_KEY: 'local:a', MASTER_SECRETS: `a=${one},${entry}` })).toEqual([
      'MASTER_SECRETS entry 2 must be id=base64 of 32 bytes (openssl rand -base64 32).'
    ])
  })

  it('are refused when an id comes twice', () => {
    expect(problemsOf({ MASTER_KEY: 'local:a', MASTER_SECRETS: `a=${one},a=${two}` })).toEqual([
      'MASTER_SECRETS entry 2 names an id a second time.'
    ])
  })

  it('are refused without the one that the master key names, or one to retire', () => {
    const uris = { MASTER_KEY: 'local:new', MASTER_KEYS_RETIRING: 'local:old' }
    expect(problemsOf({ ...uris, MASTER_SECRETS: `other=${one}` })).toEqual([
      'local:new has no secret: add new=<base64 of 32 bytes> to the master secrets.',
      'local:old has no secret: add old=<base64 of 32 bytes> to the master secrets.'
    ])
  })

  it('are refused when no master key says which of them wraps', () => {
    expect(problemsOf({ MASTER_SECRETS: `a=${one}` })).toEqual([
      'MASTER_KEY is missing: say which secret wraps new keys, such as local:2026-11.'
    ])
  })

  it.each([{ MASTER_KEY: 'local:a' }, { MASTER_KEYS_RETIRING: 'local:a' }])('are missed where %o names one', (env) => {
    expect(problemsOf(env)).toEqual([
      'MASTER_SECRETS or MASTER_SECRETS_FILE is missing: the master keys named need their secrets.'
    ])
  })

  it('may be left out for the generated master key', () => {
    expect(loadConfig({ MASTER_KEY: 'local:dev' })).toMatchObject({ masterKeyId: 'dev', masterSecrets: null })
  })

  it('are taken by their ids, together with the keys to retire', () => {
    const config = loadConfig({
      MASTER_KEY: 'local:2026-11',
      MASTER_KEYS_RETIRING: 'local:2025, local:a.b_c-D',
      MASTER_SECRETS: ` 2026-11=${one} , 2025=${two},a.b_c-D=${two}`
    })
    expect(config.masterKeyId).toBe('2026-11')
    expect(config.retiringMasterKeyIds).toEqual(['2025', 'a.b_c-D'])
    expect(Object.fromEntries(config.masterSecrets ?? [])).toEqual({ '2026-11': one, 2025: two, 'a.b_c-D': two })
  })
})

describe('a file of master secrets', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'conclave-config-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each([0o640, 0o604, 0o644, 0o620, 0o601, 0o777])('is refused with mode %o, open to others', (mode) => {
    const path = write(`a=${one}`, mode)
    expect(problemsOf({ MASTER_KEY: 'local:a', MASTER_SECRETS_FILE: path })).toEqual([
      `MASTER_SECRETS_FILE ${path} can be read by others: chmod 600 it.`
    ])
  })

  it('is refused when it is not there, or is a folder', () => {
    const missing = join(folder, 'missing')
    for (const [path, code] of [
      [missing, 'ENOENT'],
      [folder, 'EISDIR']
    ]) {
      const problems = problemsOf({ MASTER_KEY: 'local:a', MASTER_SECRETS_FILE: path })
      expect(problems).toContain(`MASTER_SECRETS_FILE ${path} cannot be read (${code}).`)
    }
  })

  it('is refused when it holds no secret', () => {
    for (const text of ['', '\n\n', '# nothing yet\n']) {
      const path = write(text, 0o600)
      expect(problemsOf({ MASTER_KEY: 'local:a', MASTER_SECRETS_FILE: path })).toContain(
        'MASTER_SECRETS_FILE holds no secret: give at least one id=base64.'
      )
    }
  })

  it('is refused beside the variable with secrets', () => {
    const path = write(`a=${one}`, 0o600)
    expect(problemsOf({ MASTER_KEY: 'local:a', MASTER_SECRETS: `a=${one}`, MASTER_SECRETS_FILE: path })).toEqual([
      'MASTER_SECRETS and MASTER_SECRETS_FILE are both set: set one of them.'
    ])
  })

  it('never shows in a problem what it holds', () => {
    const path = write(`a=${one}\nb=${base64Of(31)}-hunter2\n`, 0o600)
    const problems = problemsOf({ MASTER_KEY: 'local:a', MASTER_SECRETS_FILE: path })
    expect(problems).toEqual(['MASTER_SECRETS_FILE entry 2 must be id=base64 of 32 bytes (openssl rand -base64 32).'])
  })

  it.each([0o600, 0o400])('is read with mode %o: a secret a line, with comments and empty lines between', (mode) => {
    const path = write(`# the present one\r\na=${one}\r\n\r\n  # to be retired\nold=${two}\n`, mode)
    const config = loadConfig({ MASTER_KEY: 'local:a', MASTER_KEYS_RETIRING: 'local:old', MASTER_SECRETS_FILE: path })
    expect(Object.fromEntries(config.masterSecrets ?? [])).toEqual({ a: one, old: two })
  })

  function write(text: string, mode: number): string {
    const path = join(mkdtempSync(join(folder, 'secrets-')), 'master')
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }
})

function problemsOf(env: NodeJS.ProcessEnv): string[] {
  const error = thrownBy(() => loadConfig(env))
  if (!(error instanceof ConfigError)) throw error
  return error.problems
}
