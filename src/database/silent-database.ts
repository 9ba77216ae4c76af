import pg from 'pg'
import { Heartbeat } from '../heartbeat.js'
import type { Logger } from '../log.js'
import type { DatabaseLogin } from './database-login.js'

/** SQLSTATE: whoever sends one is not silent. */
const SQLSTATE = /^[0-9A-Z]{5}$/

/**
 * Ends connections to a database that does not answer any more although nobody has closed them: of a
 * statement that was sent there nothing would ever be heard. Within three seconds, by asking once a second on a
 * connection of its own, which no slow statement of others holds up.
 */
export class SilentDatabase {
  readonly #asking: pg.Pool
  readonly #clients = new Set<pg.ClientBase>()
  readonly #heartbeat: Heartbeat
  #isAsked = false

  /** @param options of its one connection, beside the login */
  constructor(login: DatabaseLogin, options: pg.PoolConfig, log: Logger) {
    this.#asking = new pg.Pool({ ...login, ...options, max: 1, onConnect: (client) => this.watch(client) })
    this.#asking.on('error', () => {})
    this.#heartbeat = new Heartbeat(
      () => void this.#ask(),
      () => {
        log.warn({ connections: this.#clients.size }, 'the database does not answer: its connections are given up')
        for (const client of this.#clients) (client as pg.Client).connection.stream.destroy()
      }
    )
  }

  /** Has a connection ended with the rest. */
  watch(client: pg.ClientBase): void {
    this.#clients.add(client)
    client.once('end', () => this.#clients.delete(client))
  }

  async close(): Promise<void> {
    this.#heartbeat.stop()
    await this.#asking.end()
  }

  async #ask(): Promise<void> {
    if (this.#isAsked) return
    this.#isAsked = true
    try {
      await this.#asking.query({ text: 'select' })
      this.#heartbeat.answered()
    } catch (error) {
      if (SQLSTATE.test(String((error as { code?: unknown }).code))) this.#heartbeat.answered()
    } finally {
      this.#isAsked = false
    }
  }
}
