import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
  randomBytes
} from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  fingerprint,
  fingerprintOfPrivateKey,
  generateRsaKeyPair,
  importPrivateKey,
  importPublicKey,
  type ModulusBits,
  publicKeyPem,
  unwrapDataKey,
  wrapDataKey
} from '../../../src/crypto/key-transport.js'
import {
  dataKeyFrom,
  generateDataKey,
  type PrivateKey,
  type PublicKey,
  withSecretBytes
} from '../../../src/crypto/keys.js'
import { rejectionOf, thrownBy } from '../failures.js'
import { expectDecryptionError, flippedBits, truncations } from './tampering.js'

interface Pair {
  der: { publicKey: Buffer; privateKey: Buffer }
  publicKey: PublicKey
  privateKey: PrivateKey
}

let pair: Pair
let other: Pair
beforeAll(async () => {
  pair = await generatePair(2048)
  other = await generatePair(2048)
})

describe('unwrapping a data key', () => {
  it('refuses another private key', async () => {
    const wrapped = wrapDataKey(pair.publicKey, generateDataKey())
    expectDecryptionError(await rejectionOf(unwrapDataKey(other.privateKey, wrapped)))
  })

  it('refuses a bit flipped in any byte', async () => {
    const wrapped = wrapDataKey(pair.publicKey, generateDataKey())
    for (const [how, flipped] of flippedBits(wrapped, 'byte')) {
      expectDecryptionError(await rejectionOf(unwrapDataKey(pair.privateKey, flipped)), how)
    }
  })

  it('refuses a wrapped key cut off at any length, or with a byte added', async () => {
    const wrapped = wrapDataKey(pair.publicKey, generateDataKey())
    for (const [how, truncated] of truncations(wrapped)) {
      expectDecryptionError(await rejectionOf(unwrapDataKey(pair.privateKey, truncated)), how)
    }
    const longer = Buffer.concat([wrapped, Uint8Array.of(0)])
    expectDecryptionError(await rejectionOf(unwrapDataKey(pair.privateKey, longer)))
  })

  it('refuses a number that is not below the modulus', async () => {
    const wrapped = Buffer.concat([Uint8Array.of(1, 2), Buffer.alloc(256, 0xff)])
    expectDecryptionError(await rejectionOf(unwrapDataKey(pair.privateKey, wrapped)))
  })

  it.each([0, 16, 31, 33, 64])('refuses what holds %d bytes and not 32', async (length) => {
    const wrapped = encryptByHand(randomBytes(length), { oaepHash: 'sha256' })
    expectDecryptionError(await rejectionOf(unwrapDataKey(pair.privateKey, wrapped)))
  })

  it.each([
    ['OAEP with SHA-1', { oaepHash: 'sha1' }],
    ['OAEP with SHA-512', { oaepHash: 'sha512' }],
    ['OAEP with a label', { oaepHash: 'sha256', oaepLabel: Buffer.from('label') }],
    ['PKCS #1 v1.5', { padding: constants.RSA_PKCS1_PADDING }],
    ['no padding at all', { padding: constants.RSA_NO_PADDING }]
  ])('refuses a key wrapped with %s', async (_, parameters) => {
    const unpadded = 'padding' in parameters && parameters.padding === constants.RSA_NO_PADDING
    const wrapped = encryptByHand(unpadded ? Buffer.alloc(256, 1) : randomBytes(32), parameters)
    expectDecryptionError(await rejectionOf(unwrapDataKey(pair.privateKey, wrapped)))
  })

  it.each<ModulusBits>([2048, 3072, 4096])('gives the data key back at %d bits', async (modulusBits) => {
    const { publicKey, privateKey } = modulusBits === 2048 ? pair : await generatePair(modulusBits)
    const bytes = randomBytes(32)
    const wrapped = wrapDataKey(publicKey, dataKeyFrom(Buffer.from(bytes)))
    expect(wrapped).toHaveLength(2 + modulusBits / 8)
    const unwrapped = await unwrapDataKey(privateKey, wrapped)
    expect(withSecretBytes(unwrapped, (lent) => Buffer.from(lent))).toEqual(bytes)
  })
})

describe('wrapping a data key', () => {
  it('never gives the same bytes twice', () => {
    const dataKey = generateDataKey()
    const wrapped = Array.from({ length: 20 }, () => wrapDataKey(pair.publicKey, dataKey).toString('hex'))
    expect(new Set(wrapped).size).toBe(20)
  })

  it('is RSA-OAEP with SHA-256 in both places and no label, behind the header', () => {
    const bytes = randomBytes(32)
    const wrapped = wrapDataKey(pair.publicKey, dataKeyFrom(Buffer.from(bytes)))
    expect(wrapped.toString('hex', 0, 2)).toBe('0102')
    const key = createPrivateKey({ key: pair.der.privateKey, type: 'pkcs8', format: 'der' })
    const parameters = { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
    expect(privateDecrypt(parameters, wrapped.subarray(2))).toEqual(bytes)
  })
})

describe('the fingerprint of a private key', () => {
  it('is refused for what is not one, whole and nothing else', () => {
    const der = pair.der.privateKey
    for (const bytes of [Buffer.alloc(0), randomBytes(64), der.subarray(0, -1), Buffer.concat([der, Buffer.of(0)])]) {
      expectDecryptionError(thrownBy(() => fingerprintOfPrivateKey(bytes)))
    }
  })

  it('is that of its public half, and leaves the key as it is', () => {
    const der = Buffer.from(pair.der.privateKey)
    expect(fingerprintOfPrivateKey(der)).toEqual(fingerprint(pair.der.publicKey))
    expect(der).toEqual(pair.der.privateKey)
  })
})

describe('importing a private key', () => {
  it('refuses what is not DER PKCS#8, and overwrites it all the same', () => {
    const cut = Buffer.from(pair.der.privateKey.subarray(0, 500))
    const longer = Buffer.concat([pair.der.privateKey, Buffer.of(0)])
    for (const der of [randomBytes(64), Buffer.alloc(0), cut, longer, Buffer.from(pair.der.publicKey)]) {
      expectDecryptionError(thrownBy(() => importPrivateKey(der)))
      expect(der).toEqual(Buffer.alloc(der.length))
    }
  })

  it('refuses one that is not an RSA key, and overwrites it all the same', () => {
    for (const { privateKey } of strangePairs()) {
      const der = privateKey.export({ type: 'pkcs8', format: 'der' })
      expectDecryptionError(
        thrownBy(() => importPrivateKey(der)),
        `${privateKey.asymmetricKeyType}`
      )
      expect(der).toEqual(Buffer.alloc(der.length))
    }
  })

  it('leaves zeros where the key was, and a key that unwraps and cannot be exported', async () => {
    const der = Buffer.from(pair.der.privateKey)
    const imported = importPrivateKey(der)
    expect(der).toEqual(Buffer.alloc(pair.der.privateKey.length))
    expect(imported).toMatchObject({ type: 'private', extractable: false, usages: ['decrypt'] })
    const wrapped = wrapDataKey(pair.publicKey, generateDataKey())
    await expect(unwrapDataKey(imported, wrapped)).resolves.toBeDefined()
  })
})

describe('a generated RSA pair', () => {
  it.each<ModulusBits>([2048, 3072])('has a modulus of %d bits and the exponent 65537', async (modulusBits) => {
    const { publicKey } = await generateRsaKeyPair(modulusBits)
    const parsed = createPublicKey({ key: publicKey, type: 'spki', format: 'der' })
    expect(parsed.asymmetricKeyType).toBe('rsa')
    expect(parsed.asymmetricKeyDetails).toEqual({ modulusLength: modulusBits, publicExponent: 65537n })
  })

  it('is never the same twice', () => {
    expect(pair.der.publicKey).not.toEqual(other.der.publicKey)
  })
})

describe('a public key', () => {
  it('is refused when it is not an RSA key', () => {
    for (const { publicKey } of strangePairs()) {
      const der = publicKey.export({ type: 'spki', format: 'der' })
      const error = thrownBy(() => importPublicKey(der))
      expect(error).toBeInstanceOf(TypeError)
      expect(error.message).toBe('a conversation key is an RSA key')
    }
  })

  it('is refused when it is cut off, goes on behind its end, or is none', () => {
    const der = pair.der.publicKey
    const longer = Buffer.concat([der, Buffer.of(0)])
    for (const bytes of [Buffer.alloc(0), Buffer.of(0x30), der.subarray(0, -1), longer, randomBytes(294)]) {
      const error = thrownBy(() => importPublicKey(bytes))
      expect(error).toBeInstanceOf(TypeError)
      expect(error.message).toBe('a conversation key is an RSA key')
    }
  })

  it('has the SHA-256 of its bytes as its fingerprint', () => {
    // FIPS 180-2, appendix B.1.
    expect(fingerprint(Buffer.from('abc')).toString('hex')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    )
    expect(fingerprint(pair.der.publicKey)).toEqual(createHash('sha256').update(pair.der.publicKey).digest())
  })

  it.each<ModulusBits>([2048, 3072, 4096])('of %d bits is shown in PEM as OpenSSL writes it', async (modulusBits) => {
    const { publicKey } = await generateRsaKeyPair(modulusBits)
    expect(publicKeyPem(publicKey)).toBe(importPublicKey(publicKey).export({ type: 'spki', format: 'pem' }))
  })
})

async function generatePair(modulusBits: ModulusBits): Promise<Pair> {
  const der = await generateRsaKeyPair(modulusBits)
  return {
    der,
    publicKey: importPublicKey(der.publicKey),
    privateKey: importPrivateKey(Buffer.from(der.privateKey))
  }
}

function strangePairs() {
  return [
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    generateKeyPairSync('ed25519'),
    generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
  ]
}

/** What a stranger with the public key could store in the place of a wrapped data key. */
function encryptByHand(bytes: Buffer, parameters: { padding?: number; oaepHash?: string; oaepLabel?: Buffer }): Buffer {
  const key = createPublicKey({ key: pair.der.publicKey, type: 'spki', format: 'der' })
  const payload = publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, ...parameters }, bytes)
  return Buffer.concat([Uint8Array.of(1, 2), payload])
}
