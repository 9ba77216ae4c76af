import type { CallOptions, MasterKey, WrappedPrivateKey } from './master-key.js'
import { MasterKeyError } from './master-key-error.js'

/** The master keys of this process: one that wraps new private keys, and all that can unwrap. */
export class MasterKeys {
  readonly #byUri: Map<string, MasterKey>

  constructor(
    readonly current: MasterKey,
    retiring: MasterKey[] = []
  ) {
    this.#byUri = new Map([...retiring, current].map((key) => [key.uri, key]))
  }

  /** Of all master keys that this process was given. */
  get uris(): string[] {
    return [...this.#byUri.keys()]
  }

  get all(): MasterKey[] {
    return [...this.#byUri.values()]
  }

  /** @throws MasterKeyError UNREACHABLE when this process was not given the master key: another one may have it */
  get(uri: string): MasterKey {
    const key = this.#byUri.get(uri)
    if (!key) throw new MasterKeyError('UNREACHABLE', uri, 'not available to this process')
    return key
  }

  /**
   * @returns in order, DER PKCS#8, which the caller overwrites after use, or why a key cannot be unwrapped
   * @throws MasterKeyError where none of them can be
   */
  async unwrap(
    uri: string,
    keys: readonly WrappedPrivateKey[],
    options?: CallOptions
  ): Promise<(Buffer | MasterKeyError)[]> {
    return await this.get(uri).unwrap(keys, options)
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((key) => key.close()))
  }
}
