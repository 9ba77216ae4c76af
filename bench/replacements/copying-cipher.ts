import { NONCE_BYTES, TAG_BYTES } from '../../src/crypto/content-encryption.js'
import { decodeEnvelope, encodeEnvelope, Suite } from '../../src/crypto/envelope.js'

/** In the place of src/crypto/content-encryption.ts: envelopes of the same size that hold the plaintext. */

// Private keys are wrapped with these, and stay wrapped.
export { NONCE_BYTES, openGcm, sealGcm, TAG_BYTES } from '../../src/crypto/content-encryption.js'

const NONCE = Buffer.alloc(NONCE_BYTES)
const TAG = Buffer.alloc(TAG_BYTES)

export function encryptContent(_key: unknown, plaintext: Uint8Array): Buffer {
  return encodeEnvelope(Suite.A256GCM, NONCE, plaintext, TAG)
}

export function decryptContent(_key: unknown, envelope: Uint8Array): Buffer {
  return Buffer.from(decodeEnvelope(Suite.A256GCM, envelope).subarray(NONCE_BYTES, -TAG_BYTES))
}
