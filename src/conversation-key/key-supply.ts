import { randomInt } from 'node:crypto'
import type { EntityManager } from '@mikro-orm/postgresql'
import pLimit from 'p-limit'
import { v7 as uuidv7 } from 'uuid'
import type { Clock } from '../clock.js'
import type { PrivateKeyContext } from '../crypto/associated-data.js'
import { fingerprint, generateRsaKeyPair, type ModulusBits } from '../crypto/key-transport.js'
import { type Database, runIn, type Statement } from '../database/database.js'
import { type PooledKey, PooledKeyEntity } from '../database/entities.js'
import { KeyUnavailable } from '../errors.js'
import type { Logger } from '../log.js'
import type { Wrapping } from '../master-key/master-key.js'
import { MasterKeyError } from '../master-key/master-key-error.js'
import type { MasterKeys } from '../master-key/master-keys.js'
import type { Metrics } from '../metrics/metrics.js'
import { RSA_GENERATIONS } from '../thread-pool.js'

/** Any number will do, as long as it stays the same. */
const POOL_LOCK = 20_264

/** A key pair whose private half is already wrapped: nothing else ever reaches the database. */
export type WrappedKeyPair = Pick<
  PooledKey,
  'keyId' | 'modulusBits' | 'publicKey' | 'wrappedPrivateKey' | 'masterKey' | 'masterKeyVersion' | 'createdAt'
>

/** Takes a pair that nobody else is taking; no row where there is none. */
const takeWhere = (condition: string) => `
    delete from pooled_keys
     where key_id = (select key_id from pooled_keys where ${condition} for update skip locked)`

const TAKE_OLDEST = {
  text: `${takeWhere('modulus_bits = $1 and master_key = $2 order by created_at limit 1')}
    returning key_id as "keyId", modulus_bits as "modulusBits", public_key as "publicKey",
              wrapped_private_key as "wrappedPrivateKey", master_key as "masterKey",
              master_key_version as "masterKeyVersion", created_at as "createdAt"`
}

/** As much as is needed to use a pair that is still in the pool: its private half stays there. */
export type PairInPool = Pick<WrappedKeyPair, 'keyId' | 'publicKey'>

/** Pairs of the pool, but for some that could not be had: the newest, since rotations take the oldest. */
export const FIND_PAIRS: Statement = {
  name: 'find-key-pairs',
  text: `
    select key_id as "keyId", public_key as "publicKey" from pooled_keys
     where modulus_bits = $1 and master_key = $2 and key_id <> all($3::uuid[])
     order by created_at desc limit 64`
}

/** Takes one of {@link FIND_PAIRS} within a statement, as a row of `pooled_keys`. */
export function takePairOf(keyId: string): string {
  return `${takeWhere(`key_id = ${keyId}`)} returning *`
}

/**
 * Key pairs for new conversations and new versions. RSA generation costs 50 ms to seconds of CPU,
 * so pairs are made ahead of need and kept in `pooled_keys`; with an empty pool they are made on
 * libuv's thread pool.
 */
export class KeySupply {
  readonly #database: Database
  readonly #masterKeys: MasterKeys
  readonly #metrics: Metrics['keyUse']
  readonly #clock: Clock
  readonly #log: Logger
  readonly #modulusBits: ModulusBits
  readonly #generateKeyPair: typeof generateRsaKeyPair
  readonly #generating = pLimit(RSA_GENERATIONS)
  readonly #finding = pLimit(1)
  /** Pairs that were in the pool when it was looked at: whether one still is, the statement that takes it finds out. */
  #found: PairInPool[] = []

  constructor(
    deps: { database: Database; masterKeys: MasterKeys; metrics: Metrics; clock: Clock; log: Logger },
    modulusBits: ModulusBits,
    generateKeyPair = generateRsaKeyPair
  ) {
    this.#database = deps.database
    this.#masterKeys = deps.masterKeys
    this.#metrics = deps.metrics.keyUse
    this.#clock = deps.clock
    this.#log = deps.log
    this.#modulusBits = modulusBits
    this.#generateKeyPair = generateKeyPair
  }

  /**
   * Runs `work` in a transaction in which it can take a key pair. What is taken for a transaction that fails
   * goes back into the pool. With an empty pool the transaction is rolled back when `work` wants a pair, and
   * begun again once one was made: RSA generation is never waited for inside of it. A pair that is then not
   * wanted any more, since somebody else was faster, goes into the pool.
   *
   * @param ahead the pool is known to be empty, and `work` to want a pair: it is made at once
   */
  async withKeyPair<T>(
    work: (em: EntityManager, takePair: () => Promise<WrappedKeyPair>) => Promise<T>,
    { ahead = false }: { ahead?: boolean } = {}
  ): Promise<T> {
    try {
      if (!ahead) return await this.#database.transaction((em) => work(em, () => this.#takePooled(em)))
    } catch (error) {
      if (!(error instanceof EmptyPool)) throw error
    }
    const pair = await this.#generate()
    let mayBeUsed = false
    try {
      return await this.#database.transaction(async (em) => {
        let taken = false
        const result = await work(em, async () => {
          taken = true
          return pair
        })
        // From here on it may be committed with it, whatever the commit answers.
        mayBeUsed = taken
        return result
      })
    } finally {
      // It costs time when it is lost, and no more.
      if (!mayBeUsed)
        await this.#database
          .entities()
          .insert(PooledKeyEntity, pair)
          .catch(() => {})
    }
  }

  /**
   * Uses a pair that is in the pool; with an empty pool one is made, and put there.
   *
   * @param store takes the pair by {@link takePairOf} in the statement that stores what it is for; null where that
   *   stored nothing since somebody else had taken it, and then it is called again with another
   */
  async withPairInPool<T>(store: (pair: PairInPool) => Promise<T | null>): Promise<T> {
    const gone: string[] = []
    for (;;) {
      const pair = (await this.#findPair(gone)) ?? (await this.#generateIntoPool())
      const stored = await store(pair)
      if (stored !== null) return stored
      gone.push(pair.keyId)
      // Others are at the same ones.
      this.#found = []
    }
  }

  /**
   * Makes pairs until the pool holds `target` of them, or `stop` aborts.
   *
   * @returns how many were made
   */
  async refill(target: number, stop?: AbortSignal): Promise<number> {
    let made = 0
    while (!stop?.aborted && (await this.pooled()) < target) {
      if (await this.#addToPool(await this.#generate(), target)) made++
    }
    return made
  }

  /** Pairs that are ready. */
  async pooled(): Promise<number> {
    return await this.#database.entities().count(PooledKeyEntity, this.#usable())
  }

  /** Pairs of another size, or under a master key that is no longer the current one, are not handed out. */
  #usable() {
    return { modulusBits: this.#modulusBits, masterKey: this.#masterKeys.current.uri }
  }

  /** @returns false when other workers have filled the pool meanwhile */
  async #addToPool(pair: WrappedKeyPair, target: number): Promise<boolean> {
    return await this.#database.transaction(async (em) => {
      await em.execute('select pg_advisory_xact_lock(?)', [POOL_LOCK])
      if ((await em.count(PooledKeyEntity, this.#usable())) >= target) return false
      await em.insert(PooledKeyEntity, pair)
      return true
    })
  }

  /** Any of those that were found: of processes that have found the same, few then want the same. */
  async #findPair(gone: string[]): Promise<PairInPool | undefined> {
    return await this.#finding(async () => {
      const { modulusBits, masterKey } = this.#usable()
      let left = this.#found.filter(({ keyId }) => !gone.includes(keyId))
      if (left.length === 0) left = await this.#database.run<PairInPool>(FIND_PAIRS, [modulusBits, masterKey, gone])
      const pair = left.length > 0 ? left[randomInt(left.length)] : undefined
      this.#found = left.filter((other) => other !== pair)
      return pair
    })
  }

  async #generateIntoPool(): Promise<PairInPool> {
    const pair = await this.#generate()
    await this.#database.entities().insert(PooledKeyEntity, pair)
    return pair
  }

  async #takePooled(em: EntityManager): Promise<WrappedKeyPair> {
    const { modulusBits, masterKey } = this.#usable()
    const [oldest] = await runIn<Omit<WrappedKeyPair, 'createdAt'> & { createdAt: string }>(em, TAKE_OLDEST, [
      modulusBits,
      masterKey
    ])
    if (!oldest) throw new EmptyPool()
    return { ...oldest, createdAt: new Date(oldest.createdAt) }
  }

  async #generate(): Promise<WrappedKeyPair> {
    // In an outage this is known at once: no pair is made that could not be wrapped, and nobody waits for it.
    await this.#orUnavailable(() => this.#masterKeys.current.version())
    const { publicKey, privateKey } = await this.#generating(() => this.#generateKeyPair(this.#modulusBits))
    this.#metrics.rsaGenerations.inc()
    try {
      const keyId = uuidv7()
      const { wrapped, version } = await this.#wrap(privateKey, { keyId, fingerprint: fingerprint(publicKey) })
      return {
        keyId,
        modulusBits: this.#modulusBits,
        publicKey,
        wrappedPrivateKey: wrapped,
        masterKey: this.#masterKeys.current.uri,
        masterKeyVersion: version,
        createdAt: this.#clock.now()
      }
    } finally {
      privateKey.fill(0)
    }
  }

  async #wrap(privateKey: Uint8Array, context: PrivateKeyContext): Promise<Wrapping> {
    const [wrapping] = await this.#orUnavailable(() => this.#masterKeys.current.wrap([{ privateKey, context }]))
    if (!wrapping) throw new Error('a master key wraps every key that it is given')
    return wrapping
  }

  /** @throws KeyUnavailable when the master key cannot be used now, whatever the reason is: the log has it */
  async #orUnavailable<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof MasterKeyError)) throw error
      this.#log.error({ masterKey: error.uri, kind: error.kind, reason: error }, 'new key cannot be wrapped')
      throw new KeyUnavailable()
    }
  }
}

/** Rolls back a transaction that wants a pair when there is none. */
class EmptyPool extends Error {}
