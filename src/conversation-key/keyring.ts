import { LRUCache } from 'lru-cache'
import { fingerprint, importPrivateKey, unwrapDataKey } from '../crypto/key-transport.js'
import type { DataKey, PrivateKey } from '../crypto/keys.js'
import type { Database, Statement } from '../database/database.js'
import type { KeyState } from '../database/entities.js'
import { KeyUnavailable } from '../errors.js'
import type { Logger } from '../log.js'
import { isUnreachable, MasterKeyError } from '../master-key/master-key-error.js'
import type { MasterKeys } from '../master-key/master-keys.js'

/** A data key, or why there is none. `UNAVAILABLE` is out of reach now or damaged: never told apart to a client. */
export type OpenedDataKey =
  | { state: 'OPEN'; dataKey: DataKey }
  | { state: 'DESTROYED' }
  | { state: 'UNAVAILABLE'; retry: boolean }

export const LOAD_DATA_KEYS: Statement = {
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
/** Damaged, waiting for destruction, or not there at all. */
const UNAVAILABLE: OpenedDataKey = { state: 'UNAVAILABLE', retry: false }
/** Out of reach now. */
const OUT_OF_REACH: OpenedDataKey = { state: 'UNAVAILABLE', retry: true }
/** Private keys are needed once per data key; data keys once per message. */
const PRIVATE_KEYS_MAX = 1000
const PURGE_EVERY_MS = 10_000

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
  readonly #purging: NodeJS.Timeout
  /** Counts what was forgotten: what was read from the database before must not be kept after. */
  #forgotten = 0

  constructor(
    deps: { database: Database; masterKeys: MasterKeys; log: Logger },
    cache: { ttlMs: number; max: number }
  ) {
    this.#database = deps.database
    this.#masterKeys = deps.masterKeys
    this.#log = deps.log
    this.#dataKeys = new LRUCache({ max: cache.max, ttl: cache.ttlMs })
    this.#privateKeys = new LRUCache({ max: PRIVATE_KEYS_MAX, ttl: cache.ttlMs })
    // The caches let go of an expired entry only when it is asked for; keys must not stay until then.
    this.#purging = setInterval(() => this.#purge(), Math.min(cache.ttlMs, PURGE_EVERY_MS)).unref()
  }

  close(): void {
    clearInterval(this.#purging)
    this.forgetAll()
  }

  #purge(): void {
    this.#dataKeys.purgeStale()
    this.#privateKeys.purgeStale()
  }

  /** Opens data keys of one conversation, all that are not cached with one statement. */
  async open(conversationId: string, dataKeyIds: Iterable<string>): Promise<Map<string, OpenedDataKey>> {
    // Held on to here: the cache may let go of an entry before it is looked at.
    const opening = new Map<string, Promise<OpenedDataKey>>()
    const missing: string[] = []
    for (const id of new Set(dataKeyIds)) {
      const cached = this.#dataKeys.get(cacheKey(conversationId, id))
      if (cached === undefined) missing.push(id)
      else opening.set(id, cached)
    }
    for (const [id, loading] of this.#startLoading(conversationId, missing)) opening.set(id, loading)
    const opened = new Map<string, OpenedDataKey>()
    for (const [id, key] of opening) opened.set(id, await key)
    return opened
  }

  /**
   * For work on keys, which stops where a key is out of reach and passes over one that is damaged.
   *
   * @returns what could be opened, by id
   * @throws KeyUnavailable when a master key is out of reach: the work goes on later
   */
  async openForWork(conversationId: string, dataKeyIds: Iterable<string>): Promise<Map<string, DataKey>> {
    const opened = await this.open(conversationId, dataKeyIds)
    const keys = new Map<string, DataKey>()
    for (const [id, key] of opened) {
      if (key.state === 'OPEN') keys.set(id, key.dataKey)
      else if (key.state === 'UNAVAILABLE' && key.retry) throw new KeyUnavailable()
    }
    return keys
  }

  /** Keeps a data key that this process just made, so that its own messages cost no RSA operation. */
  remember(conversationId: string, dataKeyId: string, dataKey: DataKey): void {
    this.#dataKeys.set(cacheKey(conversationId, dataKeyId), Promise.resolve({ state: 'OPEN', dataKey }))
  }

  /** Forgets what was opened of one conversation. */
  forget(conversationId: string): void {
    this.#forgotten++
    const prefix = cacheKey(conversationId, '')
    for (const cache of [this.#dataKeys, this.#privateKeys]) {
      for (const id of cache.keys()) if (id.startsWith(prefix)) cache.delete(id)
    }
  }

  /** Forgets everything opened. */
  forgetAll(): void {
    this.#forgotten++
    this.#dataKeys.clear()
    this.#privateKeys.clear()
  }

  #startLoading(conversationId: string, dataKeyIds: string[]): Map<string, Promise<OpenedDataKey>> {
    if (dataKeyIds.length === 0) return new Map()
    const since = this.#forgotten
    const loading = this.#database.lookUp<StoredDataKey>(LOAD_DATA_KEYS, [conversationId, dataKeyIds])
    const opening = dataKeyIds.map((id) => {
      const key = loading.then((rows) =>
        this.#openStored(
          conversationId,
          rows.find((row) => row.dataKeyId === id),
          since
        )
      )
      this.#keep(cacheKey(conversationId, id), key)
      return [id, key] as const
    })
    return new Map(opening)
  }

  /** Only what was opened is worth keeping: the rest is looked at again the next time. */
  #keep(id: string, key: Promise<OpenedDataKey>): void {
    this.#dataKeys.set(id, key)
    const forget = () => this.#dataKeys.peek(id) === key && this.#dataKeys.delete(id)
    key.then(({ state }) => state !== 'OPEN' && forget(), forget)
  }

  async #openStored(conversationId: string, stored: StoredDataKey | undefined, since: number): Promise<OpenedDataKey> {
    if (!stored) return UNAVAILABLE
    if (stored.state === 'DESTROYED' || !stored.wrappedKey) return DESTROYED
    if (stored.state === 'PENDING_DESTRUCTION') return UNAVAILABLE
    try {
      const privateKey = await this.#privateKey(conversationId, stored, since)
      return { state: 'OPEN', dataKey: await unwrapDataKey(privateKey, stored.wrappedKey) }
    } catch (error) {
      this.#logFailure(conversationId, stored, error)
      return mayBeBack(error) ? OUT_OF_REACH : UNAVAILABLE
    }
  }

  /** The kind is for the log alone: to a client all of them look the same. */
  #logFailure(conversationId: string, { dataKeyId, version, masterKey }: StoredDataKey, error: unknown): void {
    const known = error instanceof MasterKeyError
    const kind = known ? error.kind : 'DAMAGED'
    const reason = known ? error.message : 'stored keys fail authentication'
    this.#log.error(
      { conversationId, dataKeyId, keyVersion: version, masterKey, kind, reason },
      'data key cannot be opened'
    )
  }

  #privateKey(conversationId: string, stored: StoredDataKey, since: number): Promise<PrivateKey> {
    const id = cacheKey(conversationId, String(stored.version))
    const cached = this.#privateKeys.get(id)
    if (cached !== undefined) return cached
    const opening = this.#unwrapPrivateKey(stored)
    if (since !== this.#forgotten) return opening
    this.#privateKeys.set(id, opening)
    opening.catch(() => this.#privateKeys.peek(id) === opening && this.#privateKeys.delete(id))
    return opening
  }

  async #unwrapPrivateKey({ masterKey, wrappedPrivateKey, keyId, publicKey }: StoredDataKey): Promise<PrivateKey> {
    if (!masterKey || !wrappedPrivateKey) throw new Error('a key that is not destroyed has a wrapped private key')
    const context = { keyId, fingerprint: fingerprint(publicKey) }
    return importPrivateKey(await this.#masterKeys.unwrap(masterKey, { wrapped: wrappedPrivateKey, context }))
  }
}

/** Credentials are put right as outages end: what is refused is no more lost than what is out of reach. */
function mayBeBack(error: unknown): boolean {
  return isUnreachable(error) || (error instanceof MasterKeyError && error.kind === 'REFUSED')
}

function cacheKey(conversationId: string, rest: string): string {
  return `${conversationId}:${rest}`
}
