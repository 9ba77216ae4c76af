import { LRUCache } from 'lru-cache'
import pLimit, { type LimitFunction } from 'p-limit'
import type { Clock } from '../clock.js'
import type { DataKey } from '../crypto/keys.js'
import type { Database, Statement } from '../database/database.js'
import { addDuration, type Duration } from '../duration.js'
import { Conflict, NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { memberRole } from '../membership/roles.js'
import type { Metrics } from '../metrics/metrics.js'
import type { Keyring } from './keyring.js'
import { newDataKey } from './new-data-key.js'

interface ActiveDataKey {
  dataKeyId: string
  /** The key version that it is wrapped under. */
  keyVersion: number
}

/** The data key that messages of a conversation are sent under at present. */
export interface SendingKey extends ActiveDataKey {
  dataKey: DataKey
}

/** Answer of an attempt to store something whose data key was no longer the active one. */
export const STALE_KEY = Symbol('stale sending key')

export interface DataKeyLimits {
  maxMessages: number
  maxAge: Duration
}

/** Condition of a statement on `conversations c`: the data key may still be used, and the key above it is not due. */
export const IS_SENDING_KEY = (dataKeyId: string, maxMessages: string, now: string) => `
         c.data_key_id = ${dataKeyId} and c.data_key_uses < ${maxMessages} and c.data_key_expires_at > ${now}
         and (not c.key_used or c.key_rotates_at is null or c.key_rotates_at > ${now})`

/**
 * How many messages that condition lets through, one at least. A key that was not used yet may be past its time
 * already, and is due with its first message.
 */
export const USES_LEFT = (maxMessages: string, now: string) => `
  greatest(1, least(${maxMessages} - c.data_key_uses, c.key_message_limit - c.key_messages,
                    case when c.key_rotates_at <= ${now} then 1 end))`

/**
 * What such a statement sets: so many uses of the active key, which is due from the moment on at which its limit is
 * reached. Over its limit already, in an outage, it is due when it was postponed to.
 */
export const COUNT_KEY_USES = (uses: string, now: string) => `
             key_used = true, key_messages = c.key_messages + ${uses},
             key_rotates_at = case when c.key_messages < c.key_message_limit
                                and c.key_messages + ${uses} >= c.key_message_limit
                              then least(c.key_rotates_at, ${now}) else c.key_rotates_at end`

export const LOAD_SENDING_KEY: Statement = {
  name: 'load-sending-key',
  text: `
    select c.data_key_id as "dataKeyId", c.data_key_uses as uses, c.data_key_expires_at as "expiresAt",
           c.active_key_version as "keyVersion", k.public_key as "publicKey",
           c.key_used and c.key_rotates_at is not null and c.key_rotates_at <= $2 as "isDue"
      from conversations c
      join conversation_keys k on k.conversation_id = c.id and k.version = c.active_key_version
     where c.id = $1 and c.deleted_at is null`
}

interface SendingState {
  dataKeyId: string | null
  uses: number
  expiresAt: Date | null
  keyVersion: number
  publicKey: Buffer
  isDue: boolean
}

// Checked on the locked row: neither another process's data key nor a rotation may come in between.
export const ACTIVATE_DATA_KEY: Statement = {
  name: 'activate-data-key',
  text: `
    with before as (
      select id, data_key_messages from conversations where id = $1 for update
    ), activated as (
      update conversations c
         set data_key_id = $2, data_key_uses = 0, data_key_messages = 0, data_key_expires_at = $5
        from before b
       where c.id = b.id and c.deleted_at is null and c.active_key_version = $3 and c.data_key_id is not distinct from $6
      returning c.id, b.data_key_messages
    ), settled as (
      update data_keys d set message_count = d.message_count + a.data_key_messages
        from activated a where d.conversation_id = $1 and d.id = $6
    )
    insert into data_keys (conversation_id, id, key_version, wrapped_key, created_at)
    select id, $2, $3, $4, $7 from activated
    returning id`
}

/** Losing this many races in a row means that something else is wrong. */
const MAX_ATTEMPTS = 100
/** Whoever has lost this many goes on in line with the others of this process: of a hundred at once nobody starves. */
const ATTEMPTS_OUT_OF_LINE = 3

/** Finds, opens or makes the data key to send under. The statement that stores has the last word on it. */
export class SendingKeys {
  readonly #database: Database
  readonly #keyring: Keyring
  readonly #metrics: Metrics
  readonly #clock: Clock
  readonly #rotateIfDue: (conversationId: string) => Promise<void>
  readonly #limits: DataKeyLimits
  /** Which data key is the active one: the keyring has the key itself, for as long as it may. */
  readonly #cache = new LRUCache<string, Promise<ActiveDataKey>>({ max: 10_000 })
  readonly #lines = new Map<string, LimitFunction>()

  constructor(
    deps: {
      database: Database
      keyring: Keyring
      metrics: Metrics
      clock: Clock
      rotateIfDue: (conversationId: string) => Promise<void>
    },
    limits: DataKeyLimits
  ) {
    this.#database = deps.database
    this.#keyring = deps.keyring
    this.#metrics = deps.metrics
    this.#clock = deps.clock
    this.#rotateIfDue = deps.rotateIfDue
    this.#limits = limits
  }

  /**
   * For whoever is not known to be a member: a stranger causes no key to be opened or made, so that not even the time
   * taken tells him anything. Where the key is in use already, the statement that stores finds him out.
   *
   * @throws NotFound when there is no such conversation, or the viewer is not in it
   */
  async admit(conversationId: string, viewer: Viewer): Promise<void> {
    if (this.#cache.has(conversationId)) return
    const role = await memberRole(this.#database.entities(), conversationId, viewer.id)
    if (!role) throw new NotFound('conversation')
  }

  /**
   * Runs `attempt` with the sending key, and again with a fresh one for as long as it answers that
   * the key it was given is stale: a rotation while a message is on its way delays it, no more.
   *
   * @throws NotFound when there is no such conversation
   */
  async use<T>(conversationId: string, attempt: (key: SendingKey) => Promise<T | typeof STALE_KEY>): Promise<T> {
    const result = await this.#attempt(conversationId, attempt, ATTEMPTS_OUT_OF_LINE)
    if (result !== STALE_KEY) return result
    const inLine = await this.#inLine(conversationId, () => this.#attempt(conversationId, attempt, MAX_ATTEMPTS))
    if (inLine !== STALE_KEY) return inLine
    throw new Conflict('The conversation is changing too fast. Try again.')
  }

  /** The key that is in use has no room left: the next one to need a key looks for another. */
  forget(conversationId: string): void {
    this.#cache.delete(conversationId)
  }

  async #attempt<T>(
    conversationId: string,
    attempt: (key: SendingKey) => Promise<T | typeof STALE_KEY>,
    rounds: number
  ): Promise<T | typeof STALE_KEY> {
    for (let round = 1; round <= rounds; round++) {
      const active = this.#active(conversationId)
      const key = await this.#open(conversationId, await active)
      const result = key ? await attempt(key) : STALE_KEY
      if (result !== STALE_KEY) return result
      if (this.#cache.peek(conversationId) === active) this.#cache.delete(conversationId)
    }
    return STALE_KEY
  }

  async #inLine<T>(conversationId: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(conversationId) ?? pLimit(1)
    this.#lines.set(conversationId, line)
    try {
      return await line(work)
    } finally {
      if (line.activeCount + line.pendingCount === 0) this.#lines.delete(conversationId)
    }
  }

  #active(conversationId: string): Promise<ActiveDataKey> {
    const cached = this.#cache.get(conversationId)
    if (cached !== undefined) return cached
    const finding = this.#find(conversationId)
    this.#cache.set(conversationId, finding)
    finding.catch(() => this.#cache.peek(conversationId) === finding && this.#cache.delete(conversationId))
    return finding
  }

  async #find(conversationId: string): Promise<ActiveDataKey> {
    for (let round = 1; round <= MAX_ATTEMPTS; round++) {
      const [state] = await this.#database.run<SendingState>(LOAD_SENDING_KEY, [conversationId, this.#clock.now()])
      if (!state) throw new NotFound('conversation')
      if (state.isDue) {
        // The policy holds even when no worker runs: whoever sends rotates first.
        await this.#rotateIfDue(conversationId)
        continue
      }
      const key = (await this.#usable(conversationId, state)) ?? (await this.#activateNew(conversationId, state))
      if (key) return key
    }
    throw new Conflict('The conversation is changing too fast. Try again.')
  }

  async #usable(
    conversationId: string,
    { dataKeyId, uses, expiresAt, keyVersion }: SendingState
  ): Promise<ActiveDataKey | null> {
    if (!dataKeyId || !expiresAt) return null
    if (uses >= this.#limits.maxMessages || expiresAt <= this.#clock.now()) return null
    const active = { dataKeyId, keyVersion }
    // Out of reach or damaged: sending needs only the public half, so it goes on under a new data key.
    return (await this.#open(conversationId, active)) && active
  }

  async #open(conversationId: string, { dataKeyId, keyVersion }: ActiveDataKey): Promise<SendingKey | null> {
    const [opened] = await this.#keyring.open([{ conversationId, dataKeyId }])
    return opened?.state === 'OPEN' ? { dataKeyId, keyVersion, dataKey: opened.dataKey } : null
  }

  async #activateNew(conversationId: string, state: SendingState): Promise<ActiveDataKey | null> {
    const { id, dataKey, wrappedKey } = newDataKey(state.publicKey, this.#metrics)
    const now = this.#clock.now()
    const expiresAt = addDuration(now, this.#limits.maxAge)
    const values = [conversationId, id, state.keyVersion, wrappedKey, expiresAt, state.dataKeyId, now]
    const activated = await this.#database.run(ACTIVATE_DATA_KEY, values)
    if (activated.length === 0) return null
    this.#keyring.remember(conversationId, id, dataKey)
    return { dataKeyId: id, keyVersion: state.keyVersion }
  }
}
