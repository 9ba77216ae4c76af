import pLimit from 'p-limit'
import pg, { type QueryConfig } from 'pg'
import type { DatabaseLogin } from '../database/database-login.js'
import { Heartbeat } from '../heartbeat.js'
import type { Logger } from '../log.js'
import { Listeners } from './listeners.js'
import { Outbox } from './outbox.js'
import {
  carriedPayload,
  formatSignal,
  parseSignal,
  type Signal,
  type Signals,
  type Topic,
  type Wake
} from './signals.js'

const CHANNEL = 'conclave_changed'
const RECONNECT_MS = 500
const CONNECTION = {
  application_name: 'conclave signals',
  keepAlive: true,
  connectionTimeoutMillis: 3_000,
  query_timeout: 5_000
}

/**
 * Signals over LISTEN and NOTIFY, on one connection per process.
 *
 * They are sent after the commit and not in its transaction, where NOTIFY would make all commits of
 * the database wait for one lock.
 */
export class PostgresSignals implements Signals {
  readonly carrier = 'PostgreSQL'
  readonly #login: DatabaseLogin
  readonly #log: Logger
  readonly #listeners: Listeners
  readonly #outbox: Outbox
  readonly #heartbeat = new Heartbeat(
    () => this.#ask(),
    () => this.#silent()
  )
  /** The driver wants one statement at a time. */
  readonly #inTurn = pLimit(1)
  #client: pg.Client | null = null
  #reconnect: NodeJS.Timeout | null = null
  #closed = false

  private constructor(login: DatabaseLogin, log: Logger) {
    this.#login = login
    this.#log = log
    this.#listeners = new Listeners(log)
    this.#outbox = new Outbox((batch) => this.#send(batch), log)
  }

  static async open(login: DatabaseLogin, log: Logger): Promise<PostgresSignals> {
    const signals = new PostgresSignals(login, log)
    try {
      await signals.#connect()
    } catch (error) {
      await signals.close()
      throw error
    }
    return signals
  }

  get isHearing(): boolean {
    return this.#client !== null
  }

  publish(topic: Topic, payload?: string): void {
    this.#outbox.publish({ topic, payload })
  }

  subscribe(topic: Topic, wake: Wake): () => void {
    return this.#listeners.add(topic, wake)
  }

  onKeyChange(wake: (conversationId: string | null) => void): () => void {
    return this.#listeners.addForKeys(wake)
  }

  async close(): Promise<void> {
    await this.#outbox.close()
    this.#closed = true
    this.#heartbeat.stop()
    if (this.#reconnect) clearTimeout(this.#reconnect)
    await this.#client?.end()
  }

  async #send(batch: Signal[]): Promise<void> {
    const text = 'select pg_notify($1, payload) from unnest($2::text[]) as payload'
    const payloads = batch.map((signal) => formatSignal({ topic: signal.topic, payload: carriedPayload(signal) }))
    await this.#query({ name: 'notify', text, values: [CHANNEL, payloads] })
  }

  async #query(statement: QueryConfig): Promise<void> {
    await this.#inTurn(async () => {
      if (!this.#client) throw new Error('there is no connection')
      await this.#client.query(statement)
    })
  }

  #receive(text: string): void {
    const { topic, payload } = parseSignal(text)
    this.#listeners.wake(topic, payload)
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({ ...CONNECTION, ...this.#login })
    client.on('notification', ({ payload }) => this.#receive(payload ?? ''))
    client.on('error', () => {})
    client.on('end', () => this.#lost(client))
    try {
      await client.connect()
      await client.query(`listen ${CHANNEL}`)
    } catch (error) {
      await client.end().catch(() => {})
      throw error
    }
    if (this.#closed) return await client.end()
    this.#client = client
    this.#heartbeat.answered()
    this.#outbox.open()
  }

  #lost(client: pg.Client): void {
    if (this.#closed || this.#client !== client) return
    this.#client = null
    this.#outbox.shut()
    this.#log.warn('connection for signals lost: until it is back, events come within five seconds instead of at once')
    this.#listeners.wakeAllKeys()
    this.#scheduleReconnect()
  }

  #scheduleReconnect(): void {
    if (this.#closed) return
    this.#reconnect = setTimeout(() => {
      this.#connect().then(
        // Whatever was signalled meanwhile was lost.
        () => this.#listeners.wakeAll(),
        () => this.#scheduleReconnect()
      )
    }, RECONNECT_MS)
  }

  #ask(): void {
    this.#query({ text: 'select' }).then(
      () => this.#heartbeat.answered(),
      () => {}
    )
  }

  /** What happens to keys meanwhile this process does not hear: it keeps none for long. */
  #silent(): void {
    this.#listeners.wakeAllKeys()
    // With a statement under way `end` does not wait for the other side.
    this.#client?.end().catch(() => {})
  }
}
