import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import type { MasterSecret } from './keys.js'

const DERIVED_BYTES = 32

/**
 * HKDF-SHA256 (RFC 5869): a 256-bit key of its own for each salt.
 *
 * @param info what the key is for: another purpose gives another key
 */
export function deriveKey(secret: MasterSecret, salt: Uint8Array, info: Uint8Array): KeyObject {
  const bytes = new Uint8Array(hkdfSync('sha256', secret, salt, info, DERIVED_BYTES))
  try {
    return createSecretKey(bytes)
  } finally {
    bytes.fill(0)
  }
}
