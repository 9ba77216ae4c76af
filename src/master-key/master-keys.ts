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
   * @returns DER PKCS#8, which the caller overwrites after use
   * @throws MasterKeyError of whatever kind
   */
  async unwrap(uri: string, key: WrappedPrivateKey, options?: CallOptions): Promise<Buffer> {
    const [unwrapped] = await this.get(uri).unwrap([key], options)
    if (unwrapped instanceof Buffer) return unwrapped
    throw unwrapped ?? new MasterKeyError('UNREACHABLE', uri, 'gave no answer for a key')
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((key) => key.close()))
  }
}
