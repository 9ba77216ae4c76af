import { randomBytes, randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Config, loadConfig } from '../../src/config.js'
import { masterSecretFrom } from '../../src/crypto/keys.js'
import { createLogger } from '../../src/log.js'
import { LocalMasterKey } from '../../src/master-key/local-master-key.js'
import { configErrorOf, problemsOf } from './config-problems.js'

const one = randomBytes(32).toString('base64')
const two = randomBytes(32).toString('base64')
const base64Of = (bytes: number) => randomBytes(bytes).toString('base64')

describe('master secrets', () => {
  it('are refused for every entry that is not one, which is told by its number', () => {
    expect(problemsOf({ MASTER_KEY: 'local:a', MASTER_SECRETS: `a=${one},b=${base64Of(31)},a=${two}` })).toEqual([
      'MASTER_SECRETS entry 2 must be id=base64 of 32 bytes (openssl rand -base64 32).',
      'MASTER_SECRETS entry 3 names an id a second time.'
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
    expect(loadConfig({ MASTER_KEY: 'local:dev' })).toMatchObject({ masterKey: 'local:dev', retiringMasterKeys: [] })
  })

  it('are taken by their ids, together with the keys to retire', async () => {
    const config = loadConfig({
      MASTER_KEY: 'local:2026-11',
      MASTER_KEYS_RETIRING: 'local:2025, local:a.b_c-D',
      MASTER_SECRETS: ` 2026-11=${one} , 2025=${two},a.b_c-D=${two}`
    })
    expect(config.masterKey).toBe('local:2026-11')
    expect(config.retiringMasterKeys).toEqual(['local:2025', 'local:a.b_c-D'])
    await expectSecret(config, 'local:2026-11', one)
    await expectSecret(config, 'local:2025', two)
    await expectSecret(config, 'local:a.b_c-D', two)
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
      `MASTER_SECRETS_FILE can be read by others: chmod 600 ${path}.`
    ])
  })

  it.each([
    ['is not there', () => join(folder, 'missing'), 'ENOENT'],
    ['is a folder', () => folder, 'EISDIR'],
    ['is behind a file', () => join(write(`a=${one}`, 0o600), 'master'), 'ENOTDIR'],
    ['has a name that is too long', () => join(folder, 'x'.repeat(5000)), 'ENAMETOOLONG']
  ])('is refused in one sentence when it %s', (_, path, code) => {
    const unreadable = `MASTER_SECRETS_FILE cannot be read (${code}): give the path of a file.`
    for (const env of [{}, { MASTER_KEY: 'local:a' }, { MASTER_KEY: 'local:a', MASTER_KEYS_RETIRING: 'local:b' }]) {
      expect(problemsOf({ ...env, MASTER_SECRETS_FILE: path() })).toEqual([unreadable])
    }
  })

  it.each([
    ['one', `a=${one}`],
    ['several', `a=${one},b=${two}`],
    ['several lines', `a=${one}\nb=${two}\n`],
    ['one without its id', one],
    ['one behind U+0000', `\u0000${one}`],
    ['more than a path can hold', `a=${one},`.repeat(200)]
  ])('never shows its variable, where somebody put %s of the secrets themselves', (_, pasted) => {
    const error = configErrorOf({ MASTER_KEY: 'local:a', MASTER_SECRETS_FILE: pasted })
    expect(error.problems).toEqual([
      expect.stringMatching(/^MASTER_SECRETS_FILE cannot be read \([A-Z_]+\): give the path of a file\.$/)
    ])
    const shown = `${inspect(error, { depth: 9 })} ${error.stack} ${JSON.stringify(error)}`
    for (const secret of [one, two]) expect(shown).not.toContain(secret.slice(0, 20))
  })

  it('is refused when it holds no secret', () => {
    const path = write('# nothing yet\n', 0o600)
    expect(problemsOf({ MASTER_KEY: 'local:a', MASTER_SECRETS_FILE: path })).toContain(
      'MASTER_SECRETS_FILE holds no secret: give at least one id=base64.'
    )
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

  it.each([0o600, 0o400])(
    'is read with mode %o: a secret a line, with comments and empty lines between',
    async (mode) => {
      const path = write(`# the present one, of 2026\r\na=${one}\r\n\r\n  # to be retired\nold=${two}\n`, mode)
      const config = loadConfig({ MASTER_KEY: 'local:a', MASTER_KEYS_RETIRING: 'local:old', MASTER_SECRETS_FILE: path })
      await expectSecret(config, 'local:a', one)
      await expectSecret(config, 'local:old', two)
    }
  )

  function write(text: string, mode: number): string {
    const path = join(mkdtempSync(join(folder, 'secrets-')), 'master')
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }
})

/** That the master key is the one of this secret: what the one wraps, the other unwraps. */
async function expectSecret(config: Config, uri: string, secret: string): Promise<void> {
  const developmentSecret = async () => expect.fail('nothing is generated here')
  const opened = await config.openMasterKey(uri, { log: createLogger('silent'), timeoutMs: 1000, developmentSecret })
  expect(opened.uri).toBe(uri)
  const privateKey = randomBytes(64)
  const context = { keyId: randomUUID(), fingerprint: randomBytes(32) }
  const key = new LocalMasterKey('same', masterSecretFrom(Buffer.from(secret, 'base64')))
  const [wrapping] = await key.wrap([{ privateKey, context }])
  expect(await opened.unwrap([{ wrapped: wrapping?.wrapped ?? Buffer.alloc(0), context }])).toEqual([privateKey])
}
