import { constants, createPrivateKey, createPublicKey, privateDecrypt, publicEncrypt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { decodeEnvelope, encodeEnvelope, Suite } from '../../src/crypto/envelope.js'

/**
 * In the place of src/crypto/content-encryption.ts: the naive design, which encrypts every body itself under one RSA
 * key. What it can carry ends at 318 bytes with 3072 bits.
 */

// Private keys are wrapped with these, and stay wrapped.
export { NONCE_BYTES, openGcm, sealGcm, TAG_BYTES } from '../../src/crypto/content-encryption.js'

/** PEM of the private key. */
const pem = readFileSync(process.env.BENCH_RSA_KEY_FILE ?? '', 'utf8')
const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
const publicKey = { key: createPublicKey(pem), ...oaep }
const privateKey = { key: createPrivateKey(pem), ...oaep }

export function encryptContent(_key: unknown, plaintext: Uint8Array): Buffer {
  return encodeEnvelope(Suite.A256GCM, publicEncrypt(publicKey, plaintext))
}

export function decryptContent(_key: unknown, envelope: Uint8Array): Buffer {
  return privateDecrypt(privateKey, decodeEnvelope(Suite.A256GCM, envelope))
}
