import type { PrivateKeyContext } from '../crypto/associated-data.js'
import { type MasterKey, MasterKeyUnreachable } from './master-key.js'

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

  /** @throws MasterKeyUnreachable when this process was not given the master key `uri` */
  async unwrap(uri: string, wrapped: Uint8Array, context: PrivateKeyContext): Promise<Buffer> {
    const key = this.#byUri.get(uri)
    if (!key) throw new MasterKeyUnreachable(uri)
    return await key.unwrap(wrapped, context)
  }
}
