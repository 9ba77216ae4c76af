import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  publicEncrypt,
  webcrypto
} from 'node:crypto'
import { promisify } from 'node:util'
import { decodeEnvelope, encodeEnvelope, Suite } from './envelope.js'
import { DecryptionError } from './errors.js'
import { type DataKey, dataKeyFrom, type PrivateKey, type PublicKey, withSecretBytes } from './keys.js'

export const ALGORITHM = 'RSA-OAEP-256'

export type ModulusBits = 2048 | 3072 | 4096

export interface KeyPairBytes {
  /** DER SubjectPublicKeyInfo. */
  publicKey: Buffer
  /** DER PKCS#8, unencrypted: the caller wraps it and overwrites it. */
  privateKey: Buffer
}

const generate = promisify(generateKeyPair)

/** Generates an RSA pair (public exponent 65537) on libuv's thread pool: 50 ms to seconds of CPU. */
export async function generateRsaKeyPair(modulusBits: ModulusBits): Promise<KeyPairBytes> {
  return await generate('rsa', {
    modulusLength: modulusBits,
    publicExponent: 0x10001,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' }
  })
}

/** SHA-256 of a DER SubjectPublicKeyInfo, 32 bytes. */
export function fingerprint(publicKey: Uint8Array): Buffer {
  return createHash('sha256').update(publicKey).digest()
}

/**
 * OpenSSL reads the key in front and ignores what follows it, which would be no part of what was meant. RSA keys of the
 * sizes here have two bytes of length (X.690, section 8.1.3.5).
 *
 * @throws RangeError for bytes that end before that
 */
function isWholeDer(der: Buffer): boolean {
  return der[1] === 0x82 && der.readUInt16BE(2) === der.length - 4
}

function parsePrivateKey(der: Buffer): KeyObject {
  if (!isWholeDer(der)) throw new DecryptionError()
  return createPrivateKey({ key: der, type: 'pkcs8', format: 'der' })
}

/**
 * Fingerprint of the public half that belongs to a private key: whether it is the one that it should be.
 *
 * @param privateKey DER PKCS#8, which stays as it is
 * @throws DecryptionError when the bytes are not a private key
 */
export function fingerprintOfPrivateKey(privateKey: Buffer): Buffer {
  try {
    return fingerprint(createPublicKey(parsePrivateKey(privateKey)).export({ type: 'spki', format: 'der' }))
  } catch {
    throw new DecryptionError()
  }
}

/**
 * @param der SubjectPublicKeyInfo
 * @throws TypeError for what is not an RSA key
 */
export function importPublicKey(der: Buffer): PublicKey {
  const key = parsePublicKey(der)
  if (key?.asymmetricKeyType !== 'rsa') throw new TypeError('a conversation key is an RSA key')
  return key as PublicKey
}

function parsePublicKey(der: Buffer): KeyObject | null {
  try {
    return isWholeDer(der) ? createPublicKey({ key: der, type: 'spki', format: 'der' }) : null
  } catch {
    return null
  }
}

const OAEP = { name: 'RSA-OAEP', hash: 'SHA-256' }

/**
 * Parses DER PKCS#8 and overwrites the bytes it was given.
 *
 * @throws DecryptionError when the bytes are not an RSA private key
 */
export function importPrivateKey(der: Buffer): PrivateKey {
  try {
    const key = parsePrivateKey(der)
    if (key.asymmetricKeyType !== 'rsa') throw new DecryptionError()
    return key.toCryptoKey(OAEP, false, ['decrypt']) as PrivateKey
  } catch {
    throw new DecryptionError()
  } finally {
    der.fill(0)
  }
}

/** @param der SubjectPublicKeyInfo, shown as it is (RFC 7468, section 13): parsing it takes 30 times as long */
export function publicKeyPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN PUBLIC KEY-----', ...lines, '-----END PUBLIC KEY-----', ''].join('\n')
}

/** Wraps a data key by RSAES-OAEP (RFC 8017, section 7.1) with SHA-256, MGF1-SHA-256, no label. */
export function wrapDataKey(publicKey: PublicKey, dataKey: DataKey): Buffer {
  const wrapped = withSecretBytes(dataKey, (bytes) =>
    publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, bytes)
  )
  return encodeEnvelope(Suite.RSA_OAEP_256, wrapped)
}

/**
 * Unwraps a data key on the thread pool: an RSA private operation takes 0.3 ms (2048 bits) to
 * 1.6 ms (4096), too long to hold the event loop for a page of them.
 *
 * @throws DecryptionError whatever went wrong: Node words OAEP failures in several ways
 */
export async function unwrapDataKey(privateKey: PrivateKey, wrapped: Uint8Array): Promise<DataKey> {
  const bytes = await openOaep(privateKey, decodeEnvelope(Suite.RSA_OAEP_256, wrapped))
  try {
    return dataKeyFrom(bytes)
  } catch {
    throw new DecryptionError()
  }
}

/** Opens RSAES-OAEP with the parameters of {@link wrapDataKey}; the caller overwrites what it gets. */
export async function openOaep(privateKey: PrivateKey, ciphertext: Uint8Array): Promise<Uint8Array> {
  try {
    return new Uint8Array(await webcrypto.subtle.decrypt(OAEP, privateKey, ciphertext))
  } catch {
    throw new DecryptionError()
  }
}
