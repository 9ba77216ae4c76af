import pg from 'pg'
import type { Logger } from '../log.js'
import type { Signals, Topic } from './signals.js'

const CHANNEL = 'conclave_changed'
const KEYS = 'keys:'
const RECONNECT_MS = 500
const CONNECTION = { application_name: 'conclave signals', keepAlive: true, connectionTimeoutMillis: 10_000 }

/**
 * Signals over LISTEN and NOTIFY, on one connection per process.
 *
 * They are sent after the commit and not in its transaction, where NOTIFY would make all commits of
 * the database wait for one lock.
 */
export class PostgresSignals implements Signals {
  readonly #url: string
  readonly #log: Logger
  readonly #wakers = new Map<string, Set<() => void>>()
  readonly #keyWakers = new Set<(conversationId: string | null) => void>()
  #unsent = new Set<Topic>()
  #sending = false
  #client: pg.Client | null = null
  #reconnect: NodeJS.Timeout | null = null
  #closed = false

  private constructor(url: string, log: Logger) {
    this.#url = url
    this.#log = log
  }

  static async open(url: string, log: Logger): Promise<PostgresSignals> {
    const signals = new PostgresSignals(url, log)
    await signals.#connect()
    return signals
  }

  publish(topic: Topic): void {
    this.#unsent.add(topic)
    this.#flush()
  }

  subscribe(topic: Topic, wake: () => void): () => void {
    const wakers = this.#wakers.get(topic) ?? new Set()
    this.#wakers.set(topic, wakers.add(wake))
    return () => {
      wakers.delete(wake)
      if (wakers.size === 0 && this.#wakers.get(topic) === wakers) this.#wakers.delete(topic)
    }
  }

  onKeyChange(wake: (conversationId: string | null) => void): () => void {
    this.#keyWakers.add(wake)
    return () => this.#keyWakers.delete(wake)
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#reconnect) clearTimeout(this.#reconnect)
    await this.#client?.end()
  }

  /** Sends what has gathered in one statement, and what gathers meanwhile in the next. */
  #flush(): void {
    if (this.#sending || this.#unsent.size === 0 || !this.#client) return
    const payloads = [...this.#unsent]
    this.#unsent = new Set()
    this.#sending = true
    const text = 'select pg_notify($1, payload) from unnest($2::text[]) as payload'
    this.#client.query({ name: 'notify', text, values: [CHANNEL, payloads] }).then(
      () => {
        this.#sending = false
        this.#flush()
      },
      (error: Error) => {
        // Sent with the next ones, or once there is a connection again.
        this.#sending = false
        this.#keepKeys(payloads)
        this.#log.warn({ reason: error.message }, 'signals could not be sent')
      }
    )
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({ ...CONNECTION, connectionString: this.#url })
    client.on('notification', ({ payload }) => this.#wake((payload ?? '') as Topic))
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
    this.#flush()
  }

  #lost(client: pg.Client): void {
    if (this.#closed || this.#client !== client) return
    this.#client = null
    this.#unsent = new Set(this.#keysOf(this.#unsent))
    this.#log.warn('connection for signals lost')
    this.#scheduleReconnect()
  }

  /** The streams poll for what was lost; the caches of keys do not, so these are sent again. A repetition does no harm. */
  #keepKeys(lost: Topic[]): void {
    for (const topic of this.#keysOf(lost)) this.#unsent.add(topic)
  }

  #keysOf(topics: Iterable<Topic>): Topic[] {
    return [...topics].filter((topic) => topic.startsWith(KEYS))
  }

  #scheduleReconnect(): void {
    if (this.#closed) return
    this.#reconnect = setTimeout(() => {
      this.#connect().then(
        () => {
          // Whatever was signalled meanwhile was lost.
          for (const topic of this.#wakers.keys()) this.#wake(topic as Topic)
          for (const wake of this.#keyWakers) wake(null)
        },
        () => this.#scheduleReconnect()
      )
    }, RECONNECT_MS)
  }

  #wake(topic: Topic): void {
    for (const wake of this.#wakers.get(topic) ?? []) wake()
    if (!topic.startsWith(KEYS)) return
    for (const wake of this.#keyWakers) wake(topic.slice(KEYS.length))
  }
}
