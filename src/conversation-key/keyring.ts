import pLimit from 'p-limit'
import { fingerprint, importPrivateKey, unwrapDataKey } from '../crypto/key-transport.js'
import type { DataKey, PrivateKey } from '../crypto/keys.js'
import type { Database, Statement } from '../database/database.js'
import type { KeyState } from '../database/entities.js'
import { KeyUnavailable } from '../errors.js'
import { mapInTurns } from '../in-turns.js'
import type { Logger } from '../log.js'
import { isUnreachable, MasterKeyError } from '../master-key/master-key-error.js'
import type { MasterKeys } from '../master-key/master-keys.js'
import type { Metrics } from '../metrics/metrics.js'
import { RSA_UNWRAPS } from '../thread-pool.js'
import { OpenedKeys } from './opened-keys.js'

/** Which data key of which conversation. */
export interface DataKeyPlace {
  conversationId: string
  dataKeyId: string
}

/** A data key, or why there is none. `UNAVAILABLE` is out of reach now or damaged: never told apart to a client. */
export type OpenedDataKey =
  | { state: 'OPEN'; dataKey: DataKey }
  | { state: 'DESTROYED' }
  | { state: 'UNAVAILABLE'; retry: boolean }

export const LOAD_DATA_KEYS: Statement = {
  name: 'load-data-keys',
  text: `
    select d.conversation_id as "conversationId", d.id as "dataKeyId", d.wrapped_key as "wrappedKey", k.version, k.state,
           k.key_id as "keyId", k.public_key as "publicKey", k.wrapped_private_key as "wrappedPrivateKey",
           k.master_key as "masterKey"
      from unnest((select $1)::uuid[], (select $2)::uuid[]) as wanted (conversation_id, id)
      join data_keys d on d.conversation_id = wanted.conversation_id and d.id = wanted.id
      join conversation_keys k on k.conversation_id = d.conversation_id and k.version = d.key_version`
}

interface StoredDataKey extends DataKeyPlace {
  wrappedKey: Buffer | null
  version: number
  state: KeyState
  keyId: string
  publicKey: Buffer
  wrappedPrivateKey: Buffer | null
  masterKey: string | null
}

type OpenableDataKey = StoredDataKey & { wrappedKey: Buffer; wrappedPrivateKey: Buffer; masterKey: string }

const DESTROYED: OpenedDataKey = { state: 'DESTROYED' }
/** Damaged, waiting for destruction, or not there at all. */
const UNAVAILABLE: OpenedDataKey = { state: 'UNAVAILABLE', retry: false }
/** Out of reach now. */
const OUT_OF_REACH: OpenedDataKey = { state: 'UNAVAILABLE', retry: true }
/** Private keys are needed once per data key; data keys once per message. */
export const PRIVATE_KEYS_MAX = 1000
/** In one call to a master key: it has a time limit, and a key service may take them one by one. */
const UNWRAPPED_AT_ONCE = 100
/** Parsing one takes 0.09 ms of the event loop, which others get in between. */
const PARSED_PER_TURN = 20
const PURGE_EVERY_MS = 10_000

/**
 * Opens data keys: master key → private key → data key. What was opened is kept for a bounded time,
 * so that a page of messages costs one RSA operation per data key, or none.
 */
export class Keyring {
  readonly #database: Database
  readonly #masterKeys: MasterKeys
  readonly #metrics: Metrics['keyUse']
  readonly #log: Logger
  readonly #dataKeys: OpenedKeys<Promise<OpenedDataKey>>
  readonly #privateKeys: OpenedKeys<Promise<PrivateKey>>
  readonly #purging: NodeJS.Timeout
  readonly #unwrapping = pLimit(RSA_UNWRAPS)
  /** Counts what was forgotten: what was read from the database before must not be kept after. */
  #forgotten = 0

  constructor(
    deps: { database: Database; masterKeys: MasterKeys; metrics: Metrics; log: Logger },
    cache: { ttlMs: number; max: number }
  ) {
    this.#database = deps.database
    this.#masterKeys = deps.masterKeys
    this.#metrics = deps.metrics.keyUse
    this.#log = deps.log
    this.#dataKeys = new OpenedKeys({ max: cache.max, ttl: cache.ttlMs })
    this.#privateKeys = new OpenedKeys({ max: PRIVATE_KEYS_MAX, ttl: cache.ttlMs })
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

  /**
   * Opens data keys of any conversations, all that are not cached with one statement.
   *
   * @returns in the order given
   */
  async open(wanted: readonly DataKeyPlace[]): Promise<OpenedDataKey[]> {
    // Held on to here: the cache may let go of an entry before it is looked at.
    const opening = new Map<string, Promise<OpenedDataKey>>()
    const missing = new Map<string, DataKeyPlace>()
    for (const place of wanted) {
      const id = placeKey(place)
      const cached = opening.get(id) ?? this.#dataKeys.get(id)
      if (cached === undefined) missing.set(id, place)
      else opening.set(id, cached)
    }
    if (opening.size > 0) this.#metrics.dataKeyHits.inc(opening.size)
    if (missing.size > 0) this.#metrics.dataKeyMisses.inc(missing.size)
    for (const [id, loading] of this.#startLoading(missing)) opening.set(id, loading)
    return await Promise.all(wanted.map((place) => opening.get(placeKey(place)) ?? UNAVAILABLE))
  }

  /**
   * For work on keys, which stops where a key is out of reach and passes over one that is damaged.
   *
   * @returns what could be opened, by id
   * @throws KeyUnavailable when a master key is out of reach: the work goes on later
   */
  async openForWork(conversationId: string, dataKeyIds: Iterable<string>): Promise<Map<string, DataKey>> {
    const ids = [...new Set(dataKeyIds)]
    const opened = await this.open(ids.map((dataKeyId) => ({ conversationId, dataKeyId })))
    if (opened.some((key) => key.state === 'UNAVAILABLE' && key.retry)) throw new KeyUnavailable()
    return new Map(
      ids.flatMap((id, index): [string, DataKey][] => {
        const key = opened[index]
        return key?.state === 'OPEN' ? [[id, key.dataKey]] : []
      })
    )
  }

  /** Keeps a data key that this process just made, so that its own messages cost no RSA operation. */
  remember(conversationId: string, dataKeyId: string, dataKey: DataKey): void {
    this.#dataKeys.set(placeKey({ conversationId, dataKeyId }), Promise.resolve({ state: 'OPEN', dataKey }))
  }

  /** Forgets what was opened of one conversation. */
  forget(conversationId: string): void {
    this.#forgotten++
    this.#dataKeys.deleteConversation(conversationId)
    this.#privateKeys.deleteConversation(conversationId)
  }

  /** Forgets everything opened. */
  forgetAll(): void {
    this.#forgotten++
    this.#dataKeys.clear()
    this.#privateKeys.clear()
  }

  #startLoading(missing: ReadonlyMap<string, DataKeyPlace>): [string, Promise<OpenedDataKey>][] {
    if (missing.size === 0) return []
    const since = this.#forgotten
    const loading = this.#load([...missing.values()], since)
    return [...missing.keys()].map((id) => {
      const key = loading.then(({ stored, privateKeys }) => this.#openStored(stored.get(id), privateKeys))
      this.#keep(id, key)
      return [id, key]
    })
  }

  async #load(places: DataKeyPlace[], since: number) {
    const ids = [places.map(({ conversationId }) => conversationId), places.map(({ dataKeyId }) => dataKeyId)]
    const rows = await this.#database.lookUp<StoredDataKey>(LOAD_DATA_KEYS, ids)
    return {
      stored: new Map(rows.map((row) => [placeKey(row), row])),
      privateKeys: this.#openPrivateKeys(rows.filter(isOpenable), since)
    }
  }

  /** Only what was opened is worth keeping: the rest is looked at again the next time. */
  #keep(id: string, key: Promise<OpenedDataKey>): void {
    this.#dataKeys.set(id, key)
    const forget = () => this.#dataKeys.deleteIfStill(id, key)
    key.then(({ state }) => state !== 'OPEN' && forget(), forget)
  }

  async #openStored(stored: StoredDataKey | undefined, privateKeys: PrivateKeys): Promise<OpenedDataKey> {
    if (!stored) return UNAVAILABLE
    if (stored.state === 'DESTROYED' || !stored.wrappedKey) return DESTROYED
    if (stored.state === 'PENDING_DESTRUCTION') return UNAVAILABLE
    try {
      const { wrappedKey } = stored
      const privateKey = await privateKeys.get(versionKey(stored))
      if (!privateKey) throw new Error('a key that is not destroyed has a wrapped private key')
      const dataKey = await this.#unwrapping(() => unwrapDataKey(privateKey, wrappedKey))
      this.#metrics.rsaUnwraps.inc()
      return { state: 'OPEN', dataKey }
    } catch (error) {
      this.#logFailure(stored, error)
      return mayBeBack(error) ? OUT_OF_REACH : UNAVAILABLE
    }
  }

  /** The kind is for the log alone: to a client all of them look the same. */
  #logFailure({ conversationId, dataKeyId, version, masterKey }: StoredDataKey, error: unknown): void {
    const known = error instanceof MasterKeyError
    const kind = known ? error.kind : 'DAMAGED'
    const reason = known ? error.message : 'stored keys fail authentication'
    this.#log.error(
      { conversationId, dataKeyId, keyVersion: version, masterKey, kind, reason },
      'data key cannot be opened'
    )
  }

  /** The private keys above data keys: those that are not cached are asked of their master keys together. */
  #openPrivateKeys(rows: readonly OpenableDataKey[], since: number): PrivateKeys {
    const opening: PrivateKeys = new Map()
    const missing = new Map<string, OpenableDataKey>()
    for (const row of rows) {
      const id = versionKey(row)
      const cached = this.#privateKeys.get(id)
      if (cached === undefined) missing.set(id, row)
      else opening.set(id, cached)
    }
    this.#metrics.privateKeyHits.inc(opening.size)
    this.#metrics.privateKeyMisses.inc(missing.size)
    for (const [masterKey, group] of Map.groupBy(missing.values(), (row) => row.masterKey)) {
      for (const batch of batches(group, UNWRAPPED_AT_ONCE)) {
        const unwrapping = this.#unwrapPrivateKeys(masterKey, batch)
        batch.forEach((row, index) => {
          const key = unwrapping.then((keys) => orThrow(keys[index]))
          opening.set(versionKey(row), key)
          this.#keepPrivateKey(versionKey(row), key, since)
        })
      }
    }
    return opening
  }

  #keepPrivateKey(id: string, key: Promise<PrivateKey>, since: number): void {
    if (since === this.#forgotten) this.#privateKeys.set(id, key)
    key.catch(() => this.#privateKeys.deleteIfStill(id, key))
  }

  /** @returns in order, each private key or why it could not be opened */
  async #unwrapPrivateKeys(masterKey: string, rows: readonly OpenableDataKey[]): Promise<(PrivateKey | Error)[]> {
    const wrapped = rows.map(({ wrappedPrivateKey, keyId, publicKey }) => ({
      wrapped: wrappedPrivateKey,
      context: { keyId, fingerprint: fingerprint(publicKey) }
    }))
    const unwrapped = await this.#masterKeys.unwrap(masterKey, wrapped)
    return await mapInTurns(unwrapped, PARSED_PER_TURN, (bytes) =>
      bytes instanceof MasterKeyError ? bytes : parsed(bytes)
    )
  }
}

/** By {@link versionKey}. */
type PrivateKeys = Map<string, Promise<PrivateKey>>

function isOpenable(row: StoredDataKey): row is OpenableDataKey {
  const { state, wrappedKey, wrappedPrivateKey, masterKey } = row
  if (state === 'DESTROYED' || state === 'PENDING_DESTRUCTION') return false
  return wrappedKey !== null && wrappedPrivateKey !== null && masterKey !== null
}

function parsed(privateKey: Buffer): PrivateKey | Error {
  try {
    return importPrivateKey(privateKey)
  } catch (error) {
    return error as Error
  }
}

function orThrow(key: PrivateKey | Error | undefined): PrivateKey {
  if (key === undefined) throw new Error('a master key answers for every key that it is given')
  if (key instanceof Error) throw key
  return key
}

function* batches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size)
}

/** Credentials are put right as outages end: what is refused is no more lost than what is out of reach. */
function mayBeBack(error: unknown): boolean {
  return isUnreachable(error) || (error instanceof MasterKeyError && error.kind === 'REFUSED')
}

function cacheKey(conversationId: string, rest: string): string {
  return `${conversationId}:${rest}`
}

/** A text for that place alone. */
export function placeKey({ conversationId, dataKeyId }: DataKeyPlace): string {
  return cacheKey(conversationId, dataKeyId)
}

function versionKey({ conversationId, version }: Pick<StoredDataKey, 'conversationId' | 'version'>): string {
  return cacheKey(conversationId, String(version))
}
