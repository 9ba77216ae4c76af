import { HEADER_BYTES, Suite } from '../crypto/envelope.js'
import type { MasterSecret } from '../crypto/keys.js'
import { unwrapPrivateKey, WRAPPING_OVERHEAD_BYTES, wrapPrivateKey } from '../crypto/private-key-wrap.js'
import { mapInTurns } from '../in-turns.js'
import type { MasterKey, PrivateKeyToWrap, WrappedPrivateKey, Wrapping } from './master-key.js'
import { MasterKeyError } from './master-key-error.js'

/** Each takes 0.02 ms of the event loop, most of it to derive the key. */
const KEYS_PER_TURN = 10

/** `local:<id>`: a 256-bit secret that this process was given. */
export class LocalMasterKey implements MasterKey {
  readonly uri: string
  readonly #secret: MasterSecret

  constructor(id: string, secret: MasterSecret) {
    this.uri = `local:${id}`
    this.#secret = secret
  }

  async version(): Promise<null> {
    return null
  }

  async wrap(keys: readonly PrivateKeyToWrap[]): Promise<Wrapping[]> {
    return await mapInTurns(keys, KEYS_PER_TURN, ({ privateKey, context }) => ({
      wrapped: wrapPrivateKey(this.#secret, privateKey, context),
      version: null
    }))
  }

  async unwrap(keys: readonly WrappedPrivateKey[]): Promise<(Buffer | MasterKeyError)[]> {
    return await mapInTurns(keys, KEYS_PER_TURN, (key) => this.#unwrap(key))
  }

  /** Nothing to gain: the plaintext would be in this process all the same. */
  async rewrapFrom(): Promise<null> {
    return null
  }

  async check(): Promise<void> {}

  async close(): Promise<void> {}

  #unwrap({ wrapped, context }: WrappedPrivateKey): Buffer | MasterKeyError {
    if (wrapped.length <= HEADER_BYTES + WRAPPING_OVERHEAD_BYTES || wrapped[1] !== Suite.HKDF_SHA256_A256GCM) {
      return new MasterKeyError('DAMAGED', this.uri, 'not an envelope of a local master key')
    }
    try {
      return unwrapPrivateKey(this.#secret, wrapped, context)
    } catch {
      // One error for all: an authentication tag does not say whether key, context or ciphertext is the wrong one.
      return new MasterKeyError('WRONG_KEY', this.uri, 'authentication failed: another secret, another key, or damage')
    }
  }
}
