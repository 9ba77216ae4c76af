import type * as NodeCrypto from 'node:crypto'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { decryptContent, encryptContent } from '../../../src/crypto/content-encryption.js'
import { type DataKey, dataKeyFrom } from '../../../src/crypto/keys.js'
import {
  CaseCounts,
  describeCase,
  type Hex,
  hasWycheproof,
  readWycheproof,
  type WycheproofCase
} from '../../support/wycheproof.js'
import { thrownBy } from '../failures.js'
import { expectDecryptionError } from './tampering.js'

const { nextNonce } = vi.hoisted(() => ({ nextNonce: { bytes: null as Uint8Array | null } }))

/** The random source gives the nonce of a vector where a test has put one there: nonces are no argument on purpose. */
vi.mock('node:crypto', async (importOriginal) => {
  const original = await importOriginal<typeof NodeCrypto>()
  const randomBytes = (size: number) =>
    nextNonce.bytes?.length === size ? Buffer.from(nextNonce.bytes) : original.randomBytes(size)
  return { ...original, randomBytes }
})

interface Parameters {
  keySize: number
  ivSize: number
  tagSize: number
}

interface GcmCase {
  key: Hex
  iv: Hex
  aad: Hex
  msg: Hex
  ct: Hex
  tag: Hex
}

const NAME = 'aes_gcm_test.json'
const HEADER = '0101'
const counts = new CaseCounts()

describe.skipIf(!hasWycheproof)('AES-GCM, held to the published vectors', () => {
  const cases = hasWycheproof
    ? readWycheproof<Parameters, GcmCase>(NAME).flatMap(({ tests, ...parameters }) =>
        tests.map((vector) => ({ ...parameters, ...vector }))
      )
    : []
  afterAll(() => counts.print(NAME))

  it.each(cases.map((vector) => [describeCase(vector), vector] as const))('%s', (_, vector) => {
    if (vector.keySize !== 256) expectKeyRefused(vector)
    else if (vector.ivSize !== 96 || vector.tagSize !== 128) expectOtherLayoutRefused(vector)
    else if (vector.result === 'invalid') expectRefused(vector)
    else expectOpenedAndMade(vector)
  })

  it('had a case of every kind, and none that was left out', () => {
    expect(counts.total).toBe(cases.length)
    expect(counts.kinds).toEqual([
      'made and opened',
      'refused as invalid',
      'refused for the size of the key',
      'refused for the size of the nonce'
    ])
  })
})

function expectKeyRefused({ key }: GcmCase): void {
  const error = thrownBy(() => dataKeyFrom(bytes(key)))
  expect(error).toBeInstanceOf(RangeError)
  expect(error.message).toBe('a 256-bit key has 32 bytes')
  counts.count('refused for the size of the key')
}

/** Another nonce or tag moves the borders within an envelope: what lies between them is authenticated by none. */
function expectOtherLayoutRefused(vector: GcmCase): void {
  const { envelope, key, aad } = envelopeOf(vector)
  expectDecryptionError(thrownBy(() => decryptContent(key, envelope, aad)))
  counts.count('refused for the size of the nonce')
}

function expectRefused(vector: GcmCase): void {
  const { envelope, key, aad } = envelopeOf(vector)
  expectDecryptionError(thrownBy(() => decryptContent(key, envelope, aad)))
  counts.count('refused as invalid')
}

function expectOpenedAndMade(vector: GcmCase & WycheproofCase): void {
  const { envelope, key, aad } = envelopeOf(vector)
  expect(decryptContent(key, envelope, aad).toString('hex')).toBe(vector.msg)
  nextNonce.bytes = bytes(vector.iv)
  try {
    expect(encryptContent(key, bytes(vector.msg), aad).toString('hex')).toBe(envelope.toString('hex'))
  } finally {
    nextNonce.bytes = null
  }
  counts.count('made and opened')
}

function envelopeOf({ key, iv, ct, tag, aad }: GcmCase): { envelope: Buffer; key: DataKey; aad: Buffer } {
  return { envelope: bytes(HEADER + iv + ct + tag), key: dataKeyFrom(bytes(key)), aad: bytes(aad) }
}

function bytes(hex: Hex): Buffer {
  return Buffer.from(hex, 'hex')
}
