import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError, loadConfig } from '../../../src/config.js'
import { parseMasterSecrets } from '../../../src/master-key/parse-master-secrets.js'
import { httpUrl } from '../../../src/master-key/provider.js'
import { problemOfMasterKeyUri } from '../../../src/master-key/providers.js'
import { anyText, bytes, check, cpuMs, textDamages } from '../../support/properties.js'

const ID_CHARACTERS = 'abcXYZ019._-'
const id = fc.string({ unit: fc.constantFrom(...ID_CHARACTERS), minLength: 1, maxLength: 64 })
const secret = bytes({ minLength: 32, maxLength: 32 }).map((key) => key.toString('base64'))
const secrets = fc.uniqueArray(fc.tuple(id, secret), { selector: ([name]) => name, minLength: 1, maxLength: 5 })
const uri = fc.oneof(
  id.map((name) => `local:${name}`),
  fc.tuple(id, id).map(([mount, name]) => `vault:${mount}/${name}`),
  fc.uuid().map((key) => `aws-kms:${key}`),
  id.map((name) => `aws-kms:alias/${name.replaceAll('.', '')}`),
  fc.constant('aws-kms:arn:aws:kms:eu-central-1:123456789012:key/ea440e7f-7205-4a0c-b7c8-82795739ee99')
)
const nearlyUri = uri.chain((text) => textDamages.map((spoil) => spoil(text)))

describe('master secrets', () => {
  it('are read as they were written, with any separators, comments and white space', () => {
    const separator = fc.constantFrom(',', '\n', ' , ', '\r\n', '\n# a comment, with a comma\n', ',\n')
    check(
      fc.property(secrets, separator, (entries, between) => {
        const problems: string[] = []
        const text = entries.map(([name, value]) => `${name}=${value}`).join(between)
        expect([...parseMasterSecrets('X', text, problems)]).toEqual(entries)
        expect(problems).toEqual([])
      })
    )
  })

  it('are refused or are 32 bytes in their one spelling; what was wrong is told without them', () => {
    const text = fc.oneof(
      anyText(),
      fc.tuple(secrets, textDamages).map(([entries, spoil]) => spoil(entries.map((entry) => entry.join('=')).join()))
    )
    check(
      fc.property(text, (given) => {
        const problems: string[] = []
        const found = parseMasterSecrets('X', given, problems)
        for (const [name, value] of found) {
          expect(name).toMatch(/^[A-Za-z0-9._-]{1,64}$/)
          expect(Buffer.from(value, 'base64')).toHaveLength(32)
          expect(Buffer.from(value, 'base64').toString('base64')).toBe(value)
        }
        if (found.size === 0) expect(problems).not.toEqual([])
        for (const problem of problems) expect(problem).toMatch(/^X (entry \d+ (must|names)|holds no) [^/+]*$/)
      }),
      1000
    )
  })

  it('have one spelling for each: the bits that base64 has no use for are zero', () => {
    const problems: string[] = []
    const zeros = Buffer.alloc(32).toString('base64')
    expect(parseMasterSecrets('X', `a=${zeros.slice(0, -2)}B=`, problems).size).toBe(0)
    expect(problems[0]).toBe('X entry 1 must be id=base64 of 32 bytes (openssl rand -base64 32).')
  })
})

describe('the URI of a master key', () => {
  it.each([
    'vault:transit/.',
    'vault:transit/..',
    'vault:./conclave',
    'vault:../conclave',
    'vault:transit/../conclave',
    'vault:a/./b/conclave',
    'vault:transit//conclave',
    'vault:/transit/conclave'
  ])('is not %s: a server on the way would make another path of it', (text) => {
    expect(problemOfMasterKeyUri(text)).not.toBeNull()
  })

  it('is taken as it is written, and what refuses another does not repeat it', () => {
    check(
      fc.property(fc.oneof(uri, nearlyUri, anyText()), (text) => {
        const problem = problemOfMasterKeyUri(text)
        if (problem !== null) {
          expect(problem).toMatch(/^must be local:<id>/)
          return
        }
        expect(text).toMatch(/^(local|vault|aws-kms):[^\s,]+$/)
        // What a URL makes of a path: `.`, `..` and what is encoded would be another one.
        const path = text.slice(text.indexOf(':') + 1)
        if (text.startsWith('vault:'))
          expect(new URL(`http://vault/v1/${path.split('/').map(encodeURIComponent).join('/')}`).pathname).toBe(
            `/v1/${path.split('/').map(encodeURIComponent).join('/')}`
          )
      }),
      2000
    )
  })

  it('is looked at in time that grows with its length and not faster', () => {
    for (const text of ['local:', 'vault:', 'vault:a/', 'aws-kms:', 'aws-kms:alias/', 'aws-kms:arn:aws:kms:a:']) {
      for (const character of ['a', '/', '-', ':', '.', 'é', ' ']) {
        expect(cpuMs(() => problemOfMasterKeyUri(text + character.repeat(300_000)))).toBeLessThan(2000)
      }
    }
    expect(cpuMs(() => parseMasterSecrets('X', 'a=,'.repeat(300_000), []))).toBeLessThan(5000)
  })
})

describe('the address of a key service', () => {
  it.each(['http://user@vault', 'http://user:password@vault', 'http://:password@vault', 'ftp://vault', 'vault', ''])(
    'is not %j',
    (text) => {
      expect(httpUrl().safeParse(text).success).toBe(false)
    }
  )

  it('is a URL without credentials in it, or refused', () => {
    const text = fc.oneof(anyText(), fc.webUrl(), fc.webUrl({ authoritySettings: { withUserInfo: true } }))
    check(
      fc.property(text, (given) => {
        if (!httpUrl().safeParse(given).success) return
        const { username, password, protocol } = new URL(given)
        expect([username, password]).toEqual(['', ''])
        expect(protocol).toMatch(/^https?:$/)
      })
    )
  })
})

describe('a configuration', () => {
  const variable = fc.constantFrom(
    ...['NODE_ENV', 'PORT', 'DATABASE_URL', 'REDIS_URL', 'MASTER_KEY', 'MASTER_KEYS_RETIRING', 'MASTER_SECRETS'],
    ...['VAULT_ADDR', 'VAULT_TOKEN', 'AWS_REGION', 'AWS_ENDPOINT_URL_KMS', 'AUTH_JWT_SECRET', 'AUTH_JWKS_URL'],
    ...['KEY_BITS', 'KEY_ROTATE_AFTER', 'KEY_DESTROY_AFTER', 'DATA_KEY_CACHE_TTL', 'MAX_BODY_BYTES', 'SCAN_EVERY']
  )
  const value = fc.oneof(
    ...[anyText(60), uri, nearlyUri, fc.webUrl(), fc.nat().map(String)],
    fc.tuple(id, secret).map((entry) => entry.join('=')),
    fc.constantFrom(
      'P30D',
      'PT1S',
      'P1000000Y',
      'redis-cluster://%zz@a:1?node=b',
      'redis://a',
      'postgres://a',
      'production'
    )
  )

  it('is taken or refused by a ConfigError that holds no secret', () => {
    check(
      fc.property(fc.dictionary(variable, value), secret, (env, jwtSecret) => {
        try {
          loadConfig({ AUTH_JWT_SECRET: jwtSecret, ...env })
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError)
          expect((error as Error).message).not.toContain(jwtSecret)
          const { VAULT_TOKEN: token = '', MASTER_SECRETS: given = '' } = env
          for (const hidden of [token, given])
            if (hidden.length > 12) expect((error as Error).message).not.toContain(hidden)
        }
      }),
      1000
    )
  })
})
