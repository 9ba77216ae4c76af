import { v7 as uuidv7 } from 'uuid'
import { importPublicKey, wrapDataKey } from '../crypto/key-transport.js'
import { type DataKey, generateDataKey } from '../crypto/keys.js'
import type { Metrics } from '../metrics/metrics.js'

export interface NewDataKey {
  id: string
  dataKey: DataKey
  /** Envelope, as `data_keys.wrapped_key` keeps it. */
  wrappedKey: Buffer
}

/**
 * A fresh data key, wrapped under the public half of a conversation key version: needs neither the
 * private half nor the master key.
 *
 * @param publicKey DER SubjectPublicKeyInfo
 */
export function newDataKey(publicKey: Buffer, { keyUse }: Metrics): NewDataKey {
  const dataKey = generateDataKey()
  keyUse.rsaWraps.inc()
  return { id: uuidv7(), dataKey, wrappedKey: wrapDataKey(importPublicKey(publicKey), dataKey) }
}
