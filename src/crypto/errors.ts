/**
 * The one error for content or keys that could not be opened. A wrong key, a flipped bit, a moved
 * ciphertext and a truncated one are alike on purpose: telling them apart would be an oracle.
 */
export class DecryptionError extends Error {
  override readonly name = 'DecryptionError'

  constructor() {
    super('decryption failed')
  }
}
