import { createSecretKey, randomBytes, randomUUID, webcrypto } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type PrivateKeyContext, privateKeyAssociatedData } from '../../../src/crypto/associated-data.js'
import { encryptContent } from '../../../src/crypto/content-encryption.js'
import { fingerprint, generateRsaKeyPair } from '../../../src/crypto/key-transport.js'
import { type DataKey, masterSecretFrom, withSecretBytes } from '../../../src/crypto/keys.js'
import { unwrapPrivateKey, WRAPPING_OVERHEAD_BYTES, wrapPrivateKey } from '../../../src/crypto/private-key-wrap.js'
import { thrownBy } from '../failures.js'
import { expectDecryptionError, flippedBits, truncations } from './tampering.js'

const secretBytes = randomBytes(32)
const secret = masterSecretFrom(Buffer.from(secretBytes))
const context: PrivateKeyContext = { keyId: randomUUID(), fingerprint: randomBytes(32) }
/** Wrapping does not look into what it wraps: a short one keeps the loops short. */
const privateKey = randomBytes(48)

describe('unwrapping a private key', () => {
  it('refuses a bit flipped anywhere: in header, salt, nonce, ciphertext or tag', () => {
    const wrapped = wrapPrivateKey(secret, privateKey, context)
    for (const [how, flipped] of flippedBits(wrapped)) {
      expectDecryptionError(
        thrownBy(() => unwrapPrivateKey(secret, flipped, context)),
        how
      )
    }
  })

  it('refuses a wrapping cut off at any length, or with a byte added', () => {
    const wrapped = wrapPrivateKey(secret, privateKey, context)
    for (const [how, truncated] of truncations(wrapped)) {
      expectDecryptionError(
        thrownBy(() => unwrapPrivateKey(secret, truncated, context)),
        how
      )
    }
    const longer = Buffer.concat([wrapped, Uint8Array.of(0)])
    expectDecryptionError(thrownBy(() => unwrapPrivateKey(secret, longer, context)))
  })

  it('refuses another master secret', () => {
    const wrapped = wrapPrivateKey(secret, privateKey, context)
    const other = masterSecretFrom(randomBytes(32))
    expectDecryptionError(thrownBy(() => unwrapPrivateKey(other, wrapped, context)))
  })

  it.each<[string, Partial<PrivateKeyContext>]>([
    ['key id', { keyId: randomUUID() }],
    ['fingerprint', { fingerprint: randomBytes(32) }]
  ])('refuses a wrapping moved to another %s', (_, moved) => {
    const wrapped = wrapPrivateKey(secret, privateKey, context)
    expectDecryptionError(thrownBy(() => unwrapPrivateKey(secret, wrapped, { ...context, ...moved })))
  })

  it('refuses every format byte and suite byte but its own', () => {
    const wrapped = wrapPrivateKey(secret, privateKey, context)
    for (const position of [0, 1]) {
      for (let byte = 0; byte < 256; byte++) {
        if (byte === wrapped[position]) continue
        const relabelled = Buffer.from(wrapped).fill(byte, position, position + 1)
        expectDecryptionError(thrownBy(() => unwrapPrivateKey(secret, relabelled, context)))
      }
    }
  })

  it('refuses what was encrypted by the master secret itself, without derivation', () => {
    const direct = createSecretKey(secretBytes) as DataKey
    const content = encryptContent(direct, privateKey, privateKeyAssociatedData(context))
    const relabelled = Buffer.concat([Uint8Array.of(1, 3), Buffer.alloc(32), content.subarray(2)])
    expectDecryptionError(thrownBy(() => unwrapPrivateKey(secret, relabelled, context)))
  })

  it.each([2048, 3072, 4096] as const)(
    'gives an RSA private key of %d bits back, byte for byte',
    async (modulusBits) => {
      const pair = await generateRsaKeyPair(modulusBits)
      const own = { keyId: randomUUID(), fingerprint: fingerprint(pair.publicKey) }
      const unwrapped = unwrapPrivateKey(secret, wrapPrivateKey(secret, pair.privateKey, own), own)
      expect(unwrapped.equals(pair.privateKey)).toBe(true)
    }
  )
})

describe('wrapping a private key', () => {
  it('never uses a salt, and so a key, or a nonce twice', () => {
    const wrapped = Array.from({ length: 100 }, () => wrapPrivateKey(secret, privateKey, context))
    expect(new Set(wrapped.map((bytes) => bytes.toString('hex', 2, 34))).size).toBe(100)
    expect(new Set(wrapped.map((bytes) => bytes.toString('hex', 34, 46))).size).toBe(100)
    expect(new Set(wrapped.map((bytes) => bytes.toString('hex', 46))).size).toBe(100)
  })

  it('adds header, salt, nonce and tag, and nothing else', () => {
    expect(wrapPrivateKey(secret, Buffer.alloc(0), context)).toHaveLength(2 + WRAPPING_OVERHEAD_BYTES)
  })

  it('leaves the private key that it was given as it is', () => {
    const given = Buffer.from(privateKey)
    wrapPrivateKey(secret, given, context)
    expect(given).toEqual(privateKey)
  })

  it('is readable by another implementation that knows only the layout', async () => {
    const wrapped = wrapPrivateKey(secret, privateKey, context)
    expect(wrapped.toString('hex', 0, 2)).toBe('0103')
    expect(wrapped).toHaveLength(2 + 32 + 12 + privateKey.length + 16)
    const material = await withSecretBytes(secret, (bytes) =>
      webcrypto.subtle.importKey('raw', Uint8Array.from(bytes), 'HKDF', false, ['deriveKey'])
    )
    const info = Buffer.from('conclave/private-key-wrap/1')
    const key = await webcrypto.subtle.deriveKey(
      { name: 'HKDF', hash: 'SHA-256', salt: wrapped.subarray(2, 34), info },
      material,
      { name: 'AES-GCM', length: 256 },
      false,
      ['decrypt']
    )
    const iv = wrapped.subarray(34, 46)
    const additionalData = privateKeyAssociatedData(context)
    const opened = await webcrypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData }, key, wrapped.subarray(46))
    expect(Buffer.from(opened)).toEqual(privateKey)
  })
})
