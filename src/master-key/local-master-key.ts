import type { PrivateKeyContext } from '../crypto/associated-data.js'
import type { MasterSecret } from '../crypto/keys.js'
import { unwrapPrivateKey, wrapPrivateKey } from '../crypto/private-key-wrap.js'
import type { MasterKey } from './master-key.js'

/** `local:<id>`: a 256-bit secret that this process was given. */
export class LocalMasterKey implements MasterKey {
  readonly uri: string
  readonly #secret: MasterSecret

  constructor(id: string, secret: MasterSecret) {
    this.uri = `local:${id}`
    this.#secret = secret
  }

  async wrap(privateKey: Uint8Array, context: PrivateKeyContext): Promise<Buffer> {
    return wrapPrivateKey(this.#secret, privateKey, context)
  }

  async unwrap(wrapped: Uint8Array, context: PrivateKeyContext): Promise<Buffer> {
    return unwrapPrivateKey(this.#secret, wrapped, context)
  }
}
