import type { PrivateKeyContext } from '../crypto/associated-data.js'

/**
 * A master key wraps the private halves of conversation keys. Providers differ in where the key
 * lies; what they wrap is the same: DER PKCS#8, bound to the key's id and fingerprint.
 */
export interface MasterKey {
  /** Identity, as stored beside every key wrapped by it: "local:2026-11". */
  readonly uri: string
  /** @returns an envelope; what it holds behind the header is the provider's own */
  wrap(privateKey: Uint8Array, context: PrivateKeyContext): Promise<Buffer>
  /**
   * @returns DER PKCS#8, which the caller overwrites after use
   * @throws DecryptionError when the bytes are not what this key wrapped for this context
   * @throws MasterKeyUnreachable when the key cannot be used now
   */
  unwrap(wrapped: Uint8Array, context: PrivateKeyContext): Promise<Buffer>
}

/** The master key exists, as far as is known, and cannot be used now: try again later. */
export class MasterKeyUnreachable extends Error {
  override readonly name = 'MasterKeyUnreachable'

  constructor(readonly uri: string) {
    super(`master key ${uri} is not available to this process`)
  }
}
