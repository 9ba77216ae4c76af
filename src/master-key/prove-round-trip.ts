import { randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import type { MasterKey } from './master-key.js'
import { MasterKeyError } from './master-key-error.js'

/**
 * Wraps random bytes and unwraps them again: that a service answers does not say that its policy allows both.
 *
 * @throws MasterKeyError
 */
export async function proveRoundTrip(key: MasterKey): Promise<void> {
  const bytes = randomBytes(32)
  const context = { keyId: randomUUID(), fingerprint: randomBytes(32) }
  const [wrapping] = await key.wrap([{ privateKey: bytes, context }])
  const [unwrapped] = wrapping ? await key.unwrap([{ wrapped: wrapping.wrapped, context }]) : []
  if (unwrapped instanceof MasterKeyError) throw new MasterKeyError('REFUSED', key.uri, 'does not unwrap what it wraps')
  const same = unwrapped?.length === bytes.length && timingSafeEqual(unwrapped, bytes)
  if (!same) throw new MasterKeyError('REFUSED', key.uri, 'unwraps something else than it wrapped')
}
