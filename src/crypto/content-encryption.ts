import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'
import { decodeEnvelope, encodeEnvelope, Suite } from './envelope.js'
import { DecryptionError } from './errors.js'
import type { DataKey } from './keys.js'

/** 96 bits, the size for which SP 800-38D, section 5.2.1.1, asks. */
export const NONCE_BYTES = 12
/** 128 bits. Always passed on: without it Node accepts shorter tags when decrypting. */
export const TAG_BYTES = 16

/**
 * Encrypts message bodies and titles with AES-256-GCM (SP 800-38D) under a random nonce.
 *
 * @returns envelope `format ‖ suite ‖ nonce (12) ‖ ciphertext ‖ tag (16)`
 */
export function encryptContent(key: DataKey, plaintext: Uint8Array, associatedData: Uint8Array): Buffer {
  return encodeEnvelope(Suite.A256GCM, sealGcm(key, plaintext, associatedData))
}

/**
 * @returns the plaintext, a buffer of its own
 * @throws DecryptionError when key, associated data or any byte of the envelope is not the original
 */
export function decryptContent(key: DataKey, envelope: Uint8Array, associatedData: Uint8Array): Buffer {
  return openGcm(key, decodeEnvelope(Suite.A256GCM, envelope), associatedData)
}

/** AES-256-GCM encryption, returning `nonce ‖ ciphertext ‖ tag`. */
export function sealGcm(key: KeyObject, plaintext: Uint8Array, associatedData: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(associatedData)
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** Opens what {@link sealGcm} made; nothing is returned before the tag was verified. */
export function openGcm(key: KeyObject, sealed: Buffer, associatedData: Uint8Array): Buffer {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new DecryptionError()
  const nonce = sealed.subarray(0, NONCE_BYTES)
  const ciphertext = sealed.subarray(NONCE_BYTES, -TAG_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(associatedData)
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  const plaintext = decipher.update(ciphertext)
  try {
    decipher.final()
  } catch {
    plaintext.fill(0)
    throw new DecryptionError()
  }
  return plaintext
}
