import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK } from 'jose'
import { TransferError } from './transfer-error.js'

/** How the key of an export reaches its recipient (RFC 7518, section 4.1). */
export type KeyAgreement = 'RSA-OAEP-256' | 'ECDH-ES+A256KW'

/** One half of a recipient's key pair. */
export interface RecipientKey {
  algorithm: KeyAgreement
  key: KeyObject
  /** SHA-256 thumbprint of the public half (RFC 7638), base64url. */
  thumbprint: string
}

/** SP 800-131A, section 6. */
const MIN_MODULUS_BITS = 2048
/** SP 800-56B, section 6.2. */
const MIN_EXPONENT = 65537n
/** By their names in OpenSSL: P-256, P-384 and P-521. */
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1']

/**
 * Reads the public key that an export is made for.
 *
 * @param pem SubjectPublicKeyInfo, PKCS #1 or a certificate
 * @throws TransferError KEY for what is no such key, or is too weak; it does not repeat what it was given
 */
export async function readRecipientKey(pem: string): Promise<RecipientKey> {
  if (/PRIVATE KEY/.test(pem)) {
    throw new TransferError(
      'KEY',
      'This is a private key. Give the public half (openssl pkey -in private.pem -pubout), and keep this one where it was.'
    )
  }
  return await describe(parse(() => createPublicKey(pem), 'This is not a public key in PEM.'))
}

/**
 * Reads the private key that opens an export.
 *
 * @throws TransferError KEY
 */
export async function readPrivateKey(pem: string): Promise<RecipientKey> {
  if (/ENCRYPTED/.test(pem)) {
    throw new TransferError('KEY', 'This key is protected by a passphrase. Take it off first: openssl pkey -in key.pem')
  }
  if (/PUBLIC KEY|CERTIFICATE/.test(pem)) {
    throw new TransferError('KEY', 'This is a public key. What opens an export is the private half.')
  }
  return await describe(parse(() => createPrivateKey(pem), 'This is not a private key in PEM.'))
}

/** Node's own words may have a piece of the key in them. */
function parse(read: () => KeyObject, problem: string): KeyObject {
  try {
    return read()
  } catch {
    throw new TransferError('KEY', problem)
  }
}

async function describe(key: KeyObject): Promise<RecipientKey> {
  const algorithm = keyAgreement(key)
  const publicHalf = key.type === 'private' ? createPublicKey(key) : key
  return { algorithm, key, thumbprint: await calculateJwkThumbprint(await exportJWK(publicHalf)) }
}

function keyAgreement({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): KeyAgreement {
  const { modulusLength = 0, publicExponent = 0n, namedCurve = '' } = asymmetricKeyDetails ?? {}
  if (asymmetricKeyType === 'x25519') return 'ECDH-ES+A256KW'
  if (asymmetricKeyType === 'ec') {
    if (CURVES.includes(namedCurve)) return 'ECDH-ES+A256KW'
    throw new TransferError(
      'KEY',
      `Keys on the curve ${namedCurve} are not supported: take P-256, P-384, P-521 or X25519.`
    )
  }
  if (asymmetricKeyType !== 'rsa') {
    throw new TransferError(
      'KEY',
      `A key of the kind ${asymmetricKeyType} encrypts nothing: take RSA, P-256, P-384, P-521 or X25519.`
    )
  }
  if (modulusLength < MIN_MODULUS_BITS) {
    throw new TransferError(
      'KEY',
      `The RSA key has ${modulusLength} bits; ${MIN_MODULUS_BITS} are the least, and 3072 are advisable.`
    )
  }
  if (publicExponent < MIN_EXPONENT) throw new TransferError('KEY', 'The RSA key has a public exponent under 65537.')
  return 'RSA-OAEP-256'
}
