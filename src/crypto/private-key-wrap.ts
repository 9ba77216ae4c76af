import { randomBytes } from 'node:crypto'
import { type PrivateKeyContext, privateKeyAssociatedData } from './associated-data.js'
import { openGcm, sealGcm } from './content-encryption.js'
import { decodeEnvelope, encodeEnvelope, Suite } from './envelope.js'
import { deriveKey } from './key-derivation.js'
import type { MasterSecret } from './keys.js'

const SALT_BYTES = 32
const INFO = Buffer.from('conclave/private-key-wrap/1', 'ascii')

/** Of a wrapping without its header: salt, nonce and tag. */
export const WRAPPING_OVERHEAD_BYTES = SALT_BYTES + 12 + 16

/**
 * Wraps a private key under a local master secret: HKDF-SHA256 (RFC 5869) with a random salt gives
 * each wrapping an AES-256-GCM key of its own, so that the number of wrappings under one secret
 * has no bearing on nonce reuse.
 *
 * @param privateKey DER PKCS#8
 * @returns envelope `format ‖ suite ‖ salt (32) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`
 */
export function wrapPrivateKey(secret: MasterSecret, privateKey: Uint8Array, context: PrivateKeyContext): Buffer {
  const salt = randomBytes(SALT_BYTES)
  const sealed = sealGcm(deriveKey(secret, salt, INFO), privateKey, privateKeyAssociatedData(context))
  return encodeEnvelope(Suite.HKDF_SHA256_A256GCM, salt, sealed)
}

/**
 * @returns DER PKCS#8; the caller overwrites it after use
 * @throws DecryptionError when secret, context or any byte is not the one it was wrapped with
 */
export function unwrapPrivateKey(secret: MasterSecret, wrapped: Uint8Array, context: PrivateKeyContext): Buffer {
  const payload = decodeEnvelope(Suite.HKDF_SHA256_A256GCM, wrapped)
  const key = deriveKey(secret, payload.subarray(0, SALT_BYTES), INFO)
  return openGcm(key, payload.subarray(SALT_BYTES), privateKeyAssociatedData(context))
}
