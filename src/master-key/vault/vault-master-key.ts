import { type PrivateKeyContext, privateKeyAssociatedData } from '../../crypto/associated-data.js'
import { decodeEnvelope, encodeEnvelope, Suite } from '../../crypto/envelope.js'
import { askOnce } from '../ask-once.js'
import { inBatches } from '../in-batches.js'
import type { CallOptions, MasterKey, PrivateKeyToWrap, Rewrap, WrappedPrivateKey, Wrapping } from '../master-key.js'
import { MasterKeyError } from '../master-key-error.js'
import { proveRoundTrip } from '../prove-round-trip.js'
import { readBatch, readTransitKey, type TransitItem, type TransitKey, transitFailure } from './transit-answers.js'
import { vaultPath } from './vault-path.js'
import type { VaultSession } from './vault-session.js'

/** OpenBao refuses JSON of more than 1,000 strings, of which a key takes four. */
const BATCH = 100
const CIPHERTEXT = /^vault:(v[1-9]\d{0,9}):([A-Za-z0-9+/]+={0,2})$/
/** Of one byte or more. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$/

type Operation = 'encrypt' | 'decrypt' | 'rewrap'

/**
 * `vault:<mount>/<key>`: a key of the Transit engine of Vault or OpenBao. The context of a private key is bound as
 * `associated_data`; where the Transit key is a derived one, as its `context`, since Transit's `rewrap` keeps only that.
 */
export class VaultMasterKey implements MasterKey {
  readonly uri: string
  readonly #session: VaultSession
  readonly #mount: string
  readonly #key: string
  /** What does not change in the life of a Transit key. */
  readonly #isDerived = askOnce(async () => (await this.#describe()).derived)

  constructor(mount: string, key: string, session: VaultSession) {
    this.uri = `vault:${mount}/${key}`
    this.#mount = mount
    this.#key = key
    this.#session = session
  }

  async version(): Promise<string> {
    return `v${(await this.#describe()).latestVersion}`
  }

  async wrap(keys: readonly PrivateKeyToWrap[], options: CallOptions = {}): Promise<Wrapping[]> {
    return await inBatches(keys, BATCH, async (batch) => {
      // Asked first: to `encrypt`, a key that does not exist is one to be made.
      const derived = await this.#isDerived()
      const input = batch.map(({ privateKey, context }) => ({
        plaintext: base64(privateKey),
        ...bind(context, derived)
      }))
      return (await this.#run('encrypt', input, options)).map((item) => this.#wrapping(item))
    })
  }

  async unwrap(keys: readonly WrappedPrivateKey[], options: CallOptions = {}): Promise<(Buffer | MasterKeyError)[]> {
    return await this.#runOnCiphertexts('decrypt', keys, options, ({ plaintext = '', error = '' }) =>
      error === '' && BASE64.test(plaintext) ? Buffer.from(plaintext, 'base64') : transitFailure(this.uri, error)
    )
  }

  /** Transit rewraps to the latest version of the same key, and for derived keys only: see docs/adr/0011. */
  async rewrapFrom(from: MasterKey): Promise<Rewrap | null> {
    if (from.uri !== this.uri || !(await this.#isDerived())) return null
    return async (keys, options = {}) =>
      await this.#runOnCiphertexts('rewrap', keys, options, (item) =>
        item.error ? transitFailure(this.uri, item.error) : this.#wrapping(item)
      )
  }

  async check(): Promise<void> {
    await this.#describe()
    await proveRoundTrip(this)
  }

  async close(): Promise<void> {
    await this.#session.close()
  }

  async #runOnCiphertexts<T>(
    operation: Operation,
    keys: readonly WrappedPrivateKey[],
    options: CallOptions,
    read: (item: TransitItem) => T | MasterKeyError
  ): Promise<(T | MasterKeyError)[]> {
    const derived = await this.#isDerived()
    return await inBatches(keys, BATCH, async (batch) => {
      const results: (T | MasterKeyError)[] = batch.map(
        () => new MasterKeyError('DAMAGED', this.uri, 'not an envelope of Transit')
      )
      const readable = batch.flatMap(({ wrapped, context }, index) => {
        const ciphertext = ciphertextOf(wrapped)
        return ciphertext === null ? [] : [{ index, input: { ciphertext, ...bind(context, derived) } }]
      })
      if (readable.length === 0) return results
      const inputs = readable.map(({ input }) => input)
      const items = await this.#run(operation, inputs, options)
      for (const [position, { index }] of readable.entries()) results[index] = read(items[position] ?? {})
      return results
    })
  }

  async #run(operation: Operation, input: object[], { signal }: CallOptions): Promise<TransitItem[]> {
    const path = vaultPath(this.#mount, operation, this.#key)
    const request = { method: 'POST' as const, path, body: { batch_input: input }, ...(signal ? { signal } : {}) }
    return readBatch(this.uri, await this.#session.send(this.uri, request), input.length)
  }

  #wrapping({ ciphertext, error }: TransitItem): Wrapping {
    const [, version] = CIPHERTEXT.exec(ciphertext ?? '') ?? []
    if (error || !ciphertext || !version) throw new MasterKeyError('REFUSED', this.uri, 'Transit does not wrap a key')
    return { wrapped: encodeEnvelope(Suite.VAULT_TRANSIT, Buffer.from(ciphertext, 'ascii')), version }
  }

  async #describe(): Promise<TransitKey> {
    const request = { method: 'GET' as const, path: vaultPath(this.#mount, 'keys', this.#key) }
    return readTransitKey(this.uri, await this.#session.send(this.uri, request))
  }
}

function bind(context: PrivateKeyContext, derived: boolean): object {
  const bound = base64(privateKeyAssociatedData(context))
  return derived ? { context: bound } : { associated_data: bound }
}

/** Null for what Transit has not written: base64 has several spellings of the same bytes, and Transit takes them all. */
function ciphertextOf(wrapped: Uint8Array): string | null {
  try {
    const text = decodeEnvelope(Suite.VAULT_TRANSIT, wrapped).toString('latin1')
    const [, , encoded] = CIPHERTEXT.exec(text) ?? []
    return encoded && Buffer.from(encoded, 'base64').toString('base64') === encoded ? text : null
  } catch {
    return null
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
