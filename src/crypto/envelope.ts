import { DecryptionError } from './errors.js'

/** First byte of everything stored encrypted: the layout of the bytes that follow. */
export const FORMAT = 0x01

/**
 * Second byte: the algorithms and all their parameters. A number is never given a new meaning; a
 * new algorithm gets a new number.
 */
export const Suite = {
  /** AES-256-GCM, 96-bit random nonce, 128-bit tag: `nonce ‖ ciphertext ‖ tag`. */
  A256GCM: 0x01,
  /** RSA-OAEP with SHA-256, MGF1-SHA-256 and no label: `wrapped data key`. */
  RSA_OAEP_256: 0x02,
  /** HKDF-SHA256, then AES-256-GCM: `salt ‖ nonce ‖ ciphertext ‖ tag`. */
  HKDF_SHA256_A256GCM: 0x03,
  /** Transit engine of Vault or OpenBao: the service's own text, `vault:v<version>:<base64>`, in ASCII. */
  VAULT_TRANSIT: 0x04,
  /** AWS KMS: `length of the key's ARN (2, big-endian) ‖ ARN in ASCII ‖ CiphertextBlob`. */
  AWS_KMS: 0x05
} as const

export type Suite = (typeof Suite)[keyof typeof Suite]

export const HEADER_BYTES = 2

/** The suite's name in {@link Suite}; 'UNKNOWN' for a byte that stands for none. */
export function suiteName(envelope: Uint8Array): string {
  return Object.entries(Suite).find(([, suite]) => suite === envelope[1])?.[0] ?? 'UNKNOWN'
}

/** Joins header and payload parts into the bytes that are stored. */
export function encodeEnvelope(suite: Suite, ...payload: Uint8Array[]): Buffer {
  return Buffer.concat([Uint8Array.of(FORMAT, suite), ...payload])
}

/** Returns the payload behind the header, or refuses an unknown format or another suite. */
export function decodeEnvelope(suite: Suite, envelope: Uint8Array): Buffer {
  if (envelope[0] !== FORMAT || envelope[1] !== suite) {
    throw new DecryptionError()
  }
  return Buffer.from(envelope.buffer, envelope.byteOffset + HEADER_BYTES, envelope.byteLength - HEADER_BYTES)
}
