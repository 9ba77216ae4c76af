import type { MasterKey, WrappedPrivateKey } from './master-key.js'
import { MasterKeyError } from './master-key-error.js'

/**
 * Whether a master key opens what lies under its name. Another secret under the same id would wrap new keys beside
 * old ones that it cannot open, and nobody would notice before the first of them is read.
 *
 * @param samples some of the private keys that are stored as wrapped by it
 * @returns false when it opens none of them, although it can be used; true where that cannot be told
 */
export async function opensItsKeys(key: MasterKey, samples: readonly WrappedPrivateKey[]): Promise<boolean> {
  if (samples.length === 0) return true
  try {
    const results = await key.unwrap(samples)
    for (const bytes of results) if (bytes instanceof Buffer) bytes.fill(0)
    return !results.every((result) => result instanceof MasterKeyError && result.kind === 'WRONG_KEY')
  } catch (error) {
    if (error instanceof MasterKeyError) return true
    throw error
  }
}
