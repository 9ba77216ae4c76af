import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Suite } from '../../../src/crypto/envelope.js'
import { masterSecretFrom } from '../../../src/crypto/keys.js'
import { AwsKmsMasterKey } from '../../../src/master-key/aws-kms/aws-kms-master-key.js'
import type { KmsCalls } from '../../../src/master-key/aws-kms/kms-calls.js'
import { decodeKmsEnvelope, encodeKmsEnvelope } from '../../../src/master-key/aws-kms/kms-envelope.js'
import { ciphertextFailure, isDenied, kmsFailure } from '../../../src/master-key/aws-kms/kms-failure.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import type { MasterKey } from '../../../src/master-key/master-key.js'
import { MasterKeyError } from '../../../src/master-key/master-key-error.js'
import type { VaultAnswer, VaultHttp } from '../../../src/master-key/vault/vault-http.js'
import { logIn, renew, type VaultLease } from '../../../src/master-key/vault/vault-login.js'
import { VaultMasterKey } from '../../../src/master-key/vault/vault-master-key.js'
import type { VaultSession } from '../../../src/master-key/vault/vault-session.js'
import { anyText, bytes, check, checkAsync, damages } from '../../support/properties.js'

const context = { keyId: randomUUID(), fingerprint: Buffer.alloc(32, 1) }
const KEY_ARN = 'arn:aws:kms:eu-central-1:123456789012:key/ea440e7f-7205-4a0c-b7c8-82795739ee99'

const arn = fc
  .tuple(fc.constantFrom('aws', 'aws-cn'), fc.constantFrom('eu-central-1', 'us-east-1'), fc.uuid())
  .map(([partition, region, id]) => `arn:${partition}:kms:${region}:123456789012:key/${id}`)
const kmsEnvelope = fc
  .tuple(arn, bytes({ minLength: 1 }))
  .map(([keyArn, ciphertextBlob]) => encodeKmsEnvelope({ keyArn, ciphertextBlob }))
const vaultText = fc
  .tuple(fc.integer({ min: 1, max: 9_999_999_999 }), bytes({ minLength: 1, maxLength: 60 }))
  .map(([version, ciphertext]) => `vault:v${version}:${ciphertext.toString('base64')}`)
const vaultEnvelope = vaultText.map((text) => Buffer.from(`\u0001\u0004${text}`, 'latin1'))
const localEnvelope = bytes({ minLength: 61, maxLength: 120 }).map((rest) => Buffer.concat([Buffer.of(1, 3), rest]))
const anyEnvelope = fc.oneof(kmsEnvelope, vaultEnvelope, localEnvelope, bytes())
const damaged = fc.tuple(anyEnvelope, damages).map(([envelope, spoil]) => spoil(envelope))
const stored = fc.array(fc.oneof(anyEnvelope, damaged), { minLength: 1, maxLength: 5 })

describe('an envelope of AWS KMS', () => {
  it('gives back what it was made of', () => {
    check(
      fc.property(arn, bytes({ minLength: 1 }), (keyArn, ciphertextBlob) => {
        expect(decodeKmsEnvelope(encodeKmsEnvelope({ keyArn, ciphertextBlob }))).toEqual({ keyArn, ciphertextBlob })
      })
    )
  })

  it('is not made of what it would not give back', () => {
    expect(() => encodeKmsEnvelope({ keyArn: KEY_ARN, ciphertextBlob: Buffer.alloc(0) })).toThrow(RangeError)
  })

  it('is not read, or is the one way to write what it holds', () => {
    check(
      fc.property(fc.oneof(anyEnvelope, damaged), (wrapped) => {
        const read = decodeKmsEnvelope(wrapped)
        if (read) expect(encodeKmsEnvelope(read)).toEqual(wrapped)
      }),
      2000
    )
  })
})

describe('what is stored as a wrapped private key', () => {
  it('is sent to Transit as it was written by it, or not at all', async () => {
    await checkAsync(
      fc.asyncProperty(stored, async (wrappings) => {
        const sent: string[] = []
        const key = vaultKey((body) => {
          sent.push(...body.map(({ ciphertext = '' }) => ciphertext))
          return { batch_results: body.map(() => ({ plaintext: 'AAAA' })) }
        })
        const results = await key.unwrap(wrappings.map((wrapped) => ({ wrapped, context })))
        const opened = wrappings.filter((_, index) => results[index] instanceof Buffer)
        expect(sent).toEqual(opened.map((wrapped) => wrapped.toString('latin1', 2)))
        for (const text of sent) {
          const [, , encoded = ''] = text.split(':')
          expect(Buffer.from(encoded, 'base64').toString('base64')).toBe(encoded)
        }
        for (const wrapped of opened) expect([wrapped[0], wrapped[1]]).toEqual([1, Suite.VAULT_TRANSIT])
        expectEachItsResult(results, wrappings.length)
      })
    )
  })

  it('is sent to the KMS key that it names, if it is this one, or not at all', async () => {
    await checkAsync(
      fc.asyncProperty(stored, async (wrappings) => {
        const sent: string[] = []
        const key = kmsKey((name, { KeyId = '' }) => {
          if (name === 'DescribeKeyCommand') return { KeyMetadata: { Arn: KEY_ARN, KeySpec: 'SYMMETRIC_DEFAULT' } }
          sent.push(KeyId)
          return { Plaintext: Uint8Array.of(1) }
        })
        const results = await key.unwrap(wrappings.map((wrapped) => ({ wrapped, context })))
        expect(new Set(sent).size).toBeLessThanOrEqual(1)
        for (const keyId of sent) expect(keyId).toBe(KEY_ARN)
        expectEachItsResult(results, wrappings.length)
      })
    )
  })

  it('is never opened by a local secret that has not wrapped it', async () => {
    const key = new LocalMasterKey('a', masterSecretFrom(Buffer.alloc(32, 1)))
    await checkAsync(
      fc.asyncProperty(stored, async (wrappings) => {
        const results = await key.unwrap(wrappings.map((wrapped) => ({ wrapped, context })))
        expect(results.filter((result) => result instanceof Buffer)).toEqual([])
        expectEachItsResult(results, wrappings.length)
      })
    )
  })

  it('is not opened any more when one byte of it has changed, whatever the provider makes of that', async () => {
    const key = new LocalMasterKey('a', masterSecretFrom(Buffer.alloc(32, 1)))
    await checkAsync(
      fc.asyncProperty(bytes({ minLength: 1 }), damages, async (privateKey, spoil) => {
        const [wrapping] = await key.wrap([{ privateKey, context }])
        const spoiled = spoil(wrapping?.wrapped as Buffer)
        fc.pre(!spoiled.equals(wrapping?.wrapped as Buffer))
        const [result] = await key.unwrap([{ wrapped: spoiled, context }])
        expect(result).toBeInstanceOf(MasterKeyError)
      })
    )
  })
})

const status = fc.oneof(fc.constantFrom(200, 200, 204, 400, 403, 404), fc.nat(499))
const someText = fc.oneof(anyText(30), vaultText, fc.constantFrom('AAAA', 'AAA', 'AA==', 'AB==', '!', ''))
const item = fc.oneof(
  fc.record({ ciphertext: someText, plaintext: someText, error: someText }, { requiredKeys: [] }),
  fc.jsonValue()
)
const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, -1, 1.5, 1e308))
const vaultBody = fc.oneof(
  fc.record({ data: fc.record({ batch_results: fc.array(item, { maxLength: 3 }) }) }),
  fc.record({
    data: fc.record({
      type: fc.constantFrom('aes256-gcm96', 'rsa-2048'),
      derived: fc.boolean(),
      latest_version: number
    })
  }),
  fc.record({
    auth: fc.record({ client_token: anyText(20), lease_duration: number, renewable: fc.boolean() }),
    data: fc.record({ ttl: number, renewable: fc.boolean() })
  }),
  fc.jsonValue()
)
const vaultAnswer: fc.Arbitrary<VaultAnswer> = fc.record({ status, body: vaultBody })

describe('an answer of Vault', () => {
  it('is a result for each key, or a MasterKeyError, whatever it is', async () => {
    const answers = fc.array(vaultAnswer, { minLength: 1, maxLength: 6 })
    await checkAsync(
      fc.asyncProperty(answers, fc.array(vaultEnvelope, { minLength: 1, maxLength: 2 }), async (given, wrappings) => {
        const key = answeredVaultKey(given)
        const keys = wrappings.map((wrapped) => ({ wrapped, context }))
        const unwrapped = await resultOrMasterKeyError(() => key.unwrap(keys))
        if (unwrapped) expectEachItsResult(unwrapped, wrappings.length)
        const wrapped = await resultOrMasterKeyError(() => key.wrap([{ privateKey: Buffer.of(1), context }]))
        for (const { wrapped: envelope, version } of wrapped ?? []) {
          expect(envelope.toString('latin1', 2)).toMatch(new RegExp(`^vault:${version}:[A-Za-z0-9+/]+={0,2}$`))
        }
        const version = await resultOrMasterKeyError(() => key.version())
        if (version) expect(version).toMatch(/^v[1-9]\d*$/)
        await resultOrMasterKeyError(() => key.check())
        const rewrap = await resultOrMasterKeyError(() => key.rewrapFrom(key))
        if (rewrap) await resultOrMasterKeyError(() => rewrap(keys))
      }),
      1000
    )
  })

  it('to a login is a lease with a sensible end, or a MasterKeyError', async () => {
    await checkAsync(
      fc.asyncProperty(vaultAnswer, async (answer) => {
        const http = { send: async () => answer } as unknown as VaultHttp
        const approle = { method: 'approle', mount: 'approle', roleId: 'r', secretId: { value: 's' } } as const
        for (const lease of [
          await resultOrMasterKeyError(() => logIn(http, 'vault:a/b', { method: 'token', token: { value: 't' } })),
          await resultOrMasterKeyError(() => logIn(http, 'vault:a/b', approle)),
          await resultOrMasterKeyError(() => renew(http, 'vault:a/b', 't'))
        ]) {
          if (lease) expectSensible(lease)
        }
      }),
      1000
    )
  })
})

const blob = fc.option(bytes({ maxLength: 20 }), { nil: undefined })
const kmsAnswer = fc.record(
  {
    KeyId: fc.oneof(arn, fc.constant(KEY_ARN), anyText(20)),
    CiphertextBlob: blob,
    Plaintext: blob,
    KeyMetadata: fc.record(
      { Arn: fc.oneof(fc.constant(KEY_ARN), anyText(20)), KeySpec: fc.constantFrom('SYMMETRIC_DEFAULT', 'RSA_2048') },
      { requiredKeys: [] }
    )
  },
  { requiredKeys: [] }
)
const serviceFailure = fc.record(
  {
    name: fc.oneof(
      fc.constantFrom(
        'AccessDeniedException',
        'ThrottlingException',
        'InvalidCiphertextException',
        'NotFoundException'
      ),
      anyText(20)
    ),
    message: anyText(20),
    code: fc.oneof(anyText(10), fc.nat()),
    $metadata: fc.record({ httpStatusCode: fc.nat(599) }, { requiredKeys: [] })
  },
  { requiredKeys: [] }
)

describe('an answer of AWS KMS', () => {
  it('is a result for each key, or a MasterKeyError, whatever it is', async () => {
    const outcome = fc.oneof(
      kmsAnswer.map((answer) => () => answer),
      serviceFailure.map((failure) => () => {
        throw Object.assign(new Error('of the service'), failure)
      })
    )
    await checkAsync(
      fc.asyncProperty(fc.array(outcome, { minLength: 1, maxLength: 6 }), kmsEnvelope, async (outcomes, wrapped) => {
        let call = 0
        const key = kmsKey(() => outcomes[call++ % outcomes.length]?.() ?? {})
        const unwrapped = await resultOrMasterKeyError(() => key.unwrap([{ wrapped, context }]))
        if (unwrapped) expectEachItsResult(unwrapped, 1)
        const wrapping = await resultOrMasterKeyError(() => key.wrap([{ privateKey: Buffer.of(1), context }]))
        for (const { wrapped: envelope } of wrapping ?? []) expect(decodeKmsEnvelope(envelope)).not.toBeNull()
        const version = await resultOrMasterKeyError(() => key.version())
        if (version) expect(version).toMatch(/^arn:[^\s]+$/)
        await resultOrMasterKeyError(() => key.check())
      }),
      1000
    )
  })

  it('that is a failure says one of the closed list, and none of the service’s words', () => {
    check(
      fc.property(serviceFailure, (failure) => {
        const error = Object.assign(new Error('of the service'), failure)
        for (const said of [kmsFailure('aws-kms:a', error), ciphertextFailure('aws-kms:a', error)]) {
          if (!said) continue
          expect(['UNREACHABLE', 'REFUSED', 'WRONG_KEY', 'DAMAGED']).toContain(said.kind)
          expect(said.message).not.toContain('of the service')
        }
        expect(typeof isDenied(error)).toBe('boolean')
      })
    )
  })
})

function expectEachItsResult(results: readonly unknown[], length: number): void {
  expect(results).toHaveLength(length)
  for (const result of results) expect(result instanceof Buffer || result instanceof MasterKeyError).toBe(true)
}

function expectSensible({ ttlMs, token }: VaultLease): void {
  expect(token).not.toBe('')
  if (ttlMs === null) return
  expect(Number.isFinite(ttlMs)).toBe(true)
  expect(ttlMs).toBeGreaterThan(0)
}

/** Null for what failed in the documented way; the test fails when it failed in any other. */
async function resultOrMasterKeyError<T>(call: () => Promise<T>): Promise<T | null> {
  try {
    return await call()
  } catch (error) {
    expect(error).toBeInstanceOf(MasterKeyError)
    return null
  }
}

type TransitInput = { ciphertext?: string }[]

function vaultKey(answer: (input: TransitInput) => object): MasterKey {
  const send = async (_: string, { body }: { body?: { batch_input: TransitInput } }): Promise<VaultAnswer> => {
    const description = { type: 'aes256-gcm96', derived: false, latest_version: 1 }
    return { status: 200, body: { data: body ? answer(body.batch_input) : description } }
  }
  return new VaultMasterKey('transit', 'conclave', { send } as unknown as VaultSession)
}

function answeredVaultKey(answers: VaultAnswer[]): MasterKey {
  let call = 0
  const send = async () => answers[call++ % answers.length]
  return new VaultMasterKey('transit', 'conclave', { send } as unknown as VaultSession)
}

type KmsInput = { KeyId?: string }

function kmsKey(answer: (command: string, input: KmsInput) => object): MasterKey {
  const client = {
    send: async (command: { input: KmsInput }) => answer(command.constructor.name, command.input)
  }
  const calls = { run: async (send: (sender: typeof client, options: object) => unknown) => await send(client, {}) }
  return new AwsKmsMasterKey(KEY_ARN, calls as unknown as KmsCalls)
}
