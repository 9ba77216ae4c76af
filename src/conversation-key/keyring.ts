import { LRUCache } from 'lru-cache'
import { fingerprint, importPrivateKey, unwrapDataKey } from '../crypto/key-transport.js'
import type { DataKey, PrivateKey } from '../crypto/keys.js'
import type { Database, Statement } from '../database/database.js'
import type { KeyState } from '../database/entities.js'
import type { Logger } from '../log.js'
import { MasterKeyUnreachable } from '../master-key/master-key.js'
import type { MasterKeys } from '../master-key/master-keys.js'

/** A data key, or why there is none. `UNAVAILABLE` is out of reach now or damaged: never told apart to a client. */
export type OpenedDataKey = { state: 'OPEN'; dataKey: DataKey } | { state: 'DESTROYED' } | { state: 'UNAVAILABLE' }

const LOAD_DATA_KEYS: Statement = {
  name: 'load-data-keys',
  text: `
    select d.id as "dataKeyId", d.wrapped_key as "wrappedKey", k.version, k.state, k.key_id as "keyId",
           k.public_key as "publicKey", k.wrapped_private_key as "wrappedPrivateKey", k.master_key as "masterKey"
      from data_keys d
      join conversation_keys k on k.conversation_id = d.conversation_id and k.version = d.key_version
     where d.conversation_id = $1 and d.id = any($2::uuid[])`
}

interface StoredDataKey {
  dataKeyId: string
  wrappedKey: Buffer | null
  version: number
  state: KeyState
  keyId: string
  publicKey: Buffer
  wrappedPrivateKey: Buffer | null
  masterKey: string | null
}

const DESTROYED: OpenedDataKey = { state: 'DESTROYED' }
const UNAVAILABLE: OpenedDataKey = { state: 'UNAVAILABLE' }
/** Private keys are needed once per data key; data keys once per message. */
const PRIVATE_KEYS_MAX = 1000

/**
 * Opens data keys: master key → private key → data key. What was opened is kept for a bounded time,
 * so that a page of messages costs one RSA operation per data key, or none.
 */
export class Keyring {
  readonly #database: Database
  readonly #masterKeys: MasterKeys
  readonly #log: Logger
  readonly #dataKeys: LRUCache<string, Promise<OpenedDataKey>>
  readonly #privateKeys: LRUCache<string, Promise<PrivateKey>>

  constructor(
    deps: { database: Database; masterKeys: MasterKeys; log: Logger },
    cache: { ttlMs: number; max: number }
  ) {
    this.#database = deps.database
    this.#masterKeys = deps.masterKeys
    this.#log = deps.log
    this.#dataKeys = new LRUCache({ max: cache.max, ttl: cache.ttlMs })
    this.#privateKeys = new LRUCache({ max: PRIVATE_KEYS_MAX, ttl: cache.ttlMs })
  }

  /** Opens data keys of one conversation, all that are not cached with one statement. */
  async open(conversationId: string, dataKeyIds: Iterable<string>): Promise<Map<string, OpenedDataKey>> {
    const ids = [...new Set(dataKeyIds)]
    const missing = ids.filter((id) => !this.#dataKeys.has(id))
    if (missing.length > 0) this.#startLoading(conversationId, missing)
    // A `has` and a `get` apart: the entry may have expired in between.
    const opened = ids.map(async (id) => [id, (await this.#dataKeys.get(id)) ?? UNAVAILABLE] as const)
    return new Map(await Promise.all(opened))
  }

  /** Keeps a data key that this process just made, so that its own messages cost no RSA operation. */
  remember(dataKeyId: string, dataKey: DataKey): void {
    this.#dataKeys.set(dataKeyId, Promise.resolve({ state: 'OPEN', dataKey }))
  }

  /** Forgets everything opened: for tests, and for an operator who wants what is stored read again. */
  forgetAll(): void {
    this.#dataKeys.clear()
    this.#privateKeys.clear()
  }

  #startLoading(conversationId: string, dataKeyIds: string[]): void {
    const loading = this.#database.run<StoredDataKey>(LOAD_DATA_KEYS, [conversationId, dataKeyIds])
    for (const id of dataKeyIds) {
      const opening = loading.then((rows) =>
        this.#openStored(
          conversationId,
          rows.find((row) => row.dataKeyId === id)
        )
      )
      this.#dataKeys.set(id, opening)
      // Only what was opened is worth keeping: the rest is looked at again the next time.
      const forget = () => this.#dataKeys.peek(id) === opening && this.#dataKeys.delete(id)
      opening.then(({ state }) => state !== 'OPEN' && forget(), forget)
    }
  }

  async #openStored(conversationId: string, stored: StoredDataKey | undefined): Promise<OpenedDataKey> {
    if (!stored) return UNAVAILABLE
    if (stored.state === 'DESTROYED' || !stored.wrappedKey) return DESTROYED
    try {
      const privateKey = await this.#privateKey(conversationId, stored)
      return { state: 'OPEN', dataKey: await unwrapDataKey(privateKey, stored.wrappedKey) }
    } catch (error) {
      const reason = error instanceof MasterKeyUnreachable ? error.message : 'stored keys fail authentication'
      const { dataKeyId, version, masterKey } = stored
      this.#log.error(
        { conversationId, dataKeyId, keyVersion: version, masterKey, reason },
        'data key cannot be opened'
      )
      return UNAVAILABLE
    }
  }

  #privateKey(conversationId: string, stored: StoredDataKey): Promise<PrivateKey> {
    const id = `${conversationId}:${stored.version}`
    const cached = this.#privateKeys.get(id)
    if (cached !== undefined) return cached
    const opening = this.#unwrapPrivateKey(stored)
    this.#privateKeys.set(id, opening)
    opening.catch(() => this.#privateKeys.peek(id) === opening && this.#privateKeys.delete(id))
    return opening
  }

  async #unwrapPrivateKey({ masterKey, wrappedPrivateKey, keyId, publicKey }: StoredDataKey): Promise<PrivateKey> {
    if (!masterKey || !wrappedPrivateKey) throw new Error('a key that is not destroyed has a wrapped private key')
    const context = { keyId, fingerprint: fingerprint(publicKey) }
    return importPrivateKey(await this.#masterKeys.unwrap(masterKey, wrappedPrivateKey, context))
  }
}
