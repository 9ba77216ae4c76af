import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config.js'
import { configErrorOf, problemsOf } from './config-problems.js'

const vault = { MASTER_KEY: 'vault:teams/transit/conclave', VAULT_ADDR: 'https://vault.example.com', VAULT_TOKEN: 't' }
const kms = { MASTER_KEY: 'aws-kms:alias/conclave', AWS_REGION: 'eu-central-1' }

describe('a master key in Vault', () => {
  it('is refused without an address and a login, all told at once', () => {
    expect(problemsOf({ MASTER_KEY: vault.MASTER_KEY, PORT: 'x' })).toEqual([
      'PORT must be a whole number.',
      'VAULT_ADDR is missing.'
    ])
    expect(problemsOf({ MASTER_KEY: vault.MASTER_KEY, VAULT_ADDR: vault.VAULT_ADDR })).toEqual([
      expect.stringMatching(/^VAULT_TOKEN .*VAULT_ROLE_ID .*VAULT_K8S_ROLE is missing: say how to log in\.$/)
    ])
  })

  it.each([
    ['a token and AppRole', { VAULT_ROLE_ID: 'r', VAULT_SECRET_ID: 's' }],
    ['a token and Kubernetes', { VAULT_K8S_ROLE: 'r' }]
  ])('is refused with %s together', (_, more) => {
    expect(problemsOf({ ...vault, ...more })).toEqual([expect.stringMatching(/are set together: set one of them\.$/)])
  })

  it('is refused with an authority that cannot be read', () => {
    expect(problemsOf({ ...vault, VAULT_CACERT: '/nowhere/ca.pem' })).toEqual([
      'VAULT_CACERT cannot be read (ENOENT): give the path of a PEM file.'
    ])
  })

  it.each([
    'vault.example.com',
    'ftp://vault.example.com',
    'xhttp://vault.example.com',
    'https://user:hunter2@vault.example.com'
  ])('is refused at the address %s, which is not repeated', (address) => {
    const error = configErrorOf({ ...vault, VAULT_ADDR: address })
    expect(error.problems).toEqual(['VAULT_ADDR must be an https:// URL, without credentials in it.'])
  })

  it.each([
    'local:',
    'local:a b',
    'local:é/a',
    'vault:',
    'vault:transit',
    'vault:/key',
    'vault:a//b',
    'vault:transit/',
    'vault:a b/c',
    'vault:a/b?c'
  ])('is refused with the URI %s', (uri) => {
    expect(problemsOf({ ...vault, MASTER_KEY: uri })).toEqual([expect.stringMatching(/^MASTER_KEY must be local:/)])
  })

  it('does not show its credentials when the configuration is printed', () => {
    const config = loadConfig({ ...vault, VAULT_TOKEN: 'hunter2-token' })
    expect(inspect(config, { depth: 9, showHidden: true }) + JSON.stringify(config)).not.toContain('hunter2')
  })

  it('needs no master secrets, and leaves variables of Vault alone when no URI names it', () => {
    expect(loadConfig(vault)).toMatchObject({ masterKey: vault.MASTER_KEY })
    expect(loadConfig({ VAULT_ADDR: 'somewhere else' })).toMatchObject({ masterKey: 'local:dev' })
  })

  describe('with a login', () => {
    let folder: string
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'conclave-config-'))
      writeFileSync(join(folder, 'ca.pem'), 'a certificate')
    })
    afterAll(() => rmSync(folder, { recursive: true }))

    it.each([
      { VAULT_TOKEN: 't' },
      { VAULT_TOKEN_FILE: '/run/vault/token' },
      { VAULT_ROLE_ID: 'r', VAULT_SECRET_ID: 's' },
      { VAULT_ROLE_ID: 'r', VAULT_SECRET_ID_FILE: '/run/vault/secret-id', VAULT_APPROLE_MOUNT: 'teams/approle' },
      { VAULT_K8S_ROLE: 'conclave' }
    ])('by %o is taken', (login) => {
      const { VAULT_TOKEN: _, ...rest } = vault
      const env = { ...rest, ...login, VAULT_NAMESPACE: 'team', VAULT_CACERT: join(folder, 'ca.pem') }
      expect(loadConfig(env)).toMatchObject({ masterKey: vault.MASTER_KEY })
    })
  })
})

describe('a master key in AWS KMS', () => {
  it.each([
    ['AWS_KMS_REQUESTS_PER_SECOND', '0', 'must be a whole number from 1 to 99999'],
    ['AWS_KMS_REQUESTS_PER_SECOND', 'many', 'must be a whole number from 1 to 99999'],
    ['AWS_ENDPOINT_URL_KMS', 'kms.internal', 'must be an https:// URL, without credentials in it'],
    ['AWS_REGION', 'Frankfurt am Main', 'must be a region, such as eu-central-1']
  ])('is refused with %s=%s', (variable, value, sentence) => {
    expect(problemsOf({ ...kms, [variable]: value })).toEqual([`${variable} ${sentence}.`])
  })

  it.each(['aws-kms:', 'aws-kms:alias/', 'aws-kms:a key', 'aws-kms:arn:aws:s3:::bucket'])('is refused as %s', (uri) => {
    expect(problemsOf({ ...kms, MASTER_KEY: uri })).toEqual([expect.stringMatching(/^MASTER_KEY must be /)])
  })

  it.each([
    'aws-kms:alias/conclave',
    'aws-kms:ea440e7f-7205-4a0c-b7c8-82795739ee99',
    'aws-kms:mrk-1234abcd12ab34cd56ef1234567890ab',
    'aws-kms:arn:aws:kms:eu-central-1:123456789012:key/ea440e7f-7205-4a0c-b7c8-82795739ee99',
    'aws-kms:arn:aws-us-gov:kms:us-gov-west-1:123456789012:alias/teams/conclave'
  ])('may be named %s, also to retire, beside others', (uri) => {
    expect(loadConfig({ ...vault, MASTER_KEYS_RETIRING: `${uri}, vault:transit/old` })).toMatchObject({
      retiringMasterKeys: [uri, 'vault:transit/old']
    })
  })
})

describe('production', () => {
  const production = {
    NODE_ENV: 'production',
    DATABASE_URL: 'postgres://db.example.com/conclave',
    AUTH_JWT_SECRET: 'long enough for HS256, as production needs it'
  }

  it('refuses to send tokens and private keys to another machine in the clear', () => {
    expect(problemsOf({ ...production, ...vault, VAULT_ADDR: 'http://vault.example.com' })).toEqual([
      'VAULT_ADDR must be an https:// URL, except for this machine (NODE_ENV is production).'
    ])
    expect(problemsOf({ ...production, ...kms, AWS_ENDPOINT_URL_KMS: 'http://kms.internal' })).toEqual([
      'AWS_ENDPOINT_URL_KMS must be an https:// URL, except for this machine (NODE_ENV is production).'
    ])
  })

  it('takes an agent on the same machine, and needs no master secrets beside a key service', () => {
    for (const address of ['http://127.0.0.1:8200', 'http://localhost:8200', 'https://vault.example.com']) {
      expect(loadConfig({ ...production, ...vault, VAULT_ADDR: address })).toMatchObject({ mode: 'production' })
    }
  })
})
