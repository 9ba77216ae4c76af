import type { EntityManager } from '@mikro-orm/postgresql'
import { MikroORM } from '@mikro-orm/postgresql'
import { SpanKind } from '@opentelemetry/api'
import { CompiledQuery } from 'kysely'
import pg from 'pg'
import type { Logger } from '../log.js'
import { traced } from '../tracing/traced.js'
import { compileEntities } from './compile-entities.js'
import type { DatabaseLogin } from './database-login.js'
import { entities } from './entities.js'
import { SilentDatabase } from './silent-database.js'

/**
 * A statement of a hot path: prepared once per connection, under its name; planned anew each time without one.
 *
 * Arrays hide behind subqueries, `(select $1)::uuid[]`, where that is faster: a planner who counts their elements finds
 * each time that the plan for just these is cheaper than the general one, and plans anew for longer than reading takes.
 */
export interface Statement {
  name?: string
  text: string
}

const LOOK_UP_CONNECTIONS = 2
const CLIENT = { kind: SpanKind.CLIENT, attributes: { 'db.system.name': 'postgresql' } }
/** For a connection: a new one, or one that others have. Who has waited that long is told to try again. */
const WAITING = { connectionTimeoutMillis: 4_000, keepAlive: true }

/** The database: an ORM for everything off the hot paths, named statements on them, one pool. */
export class Database {
  readonly #orm: MikroORM
  readonly #pool: pg.Pool
  readonly #lookUps: pg.Pool
  readonly #silent: SilentDatabase
  #looking: Promise<boolean> | null = null

  private constructor(orm: MikroORM, pool: pg.Pool, lookUps: pg.Pool, silent: SilentDatabase) {
    this.#orm = orm
    this.#pool = pool
    this.#lookUps = lookUps
    this.#silent = silent
  }

  /** @param poolMax connections at most */
  static async open(login: DatabaseLogin, poolMax: number, log: Logger): Promise<Database> {
    const silent = new SilentDatabase(login, WAITING, log)
    const options = { ...login, ...WAITING, onConnect: (client: pg.ClientBase) => prepare(client, silent) }
    const orm = await MikroORM.init({
      clientUrl: login.connectionString,
      // The ORM takes no parameters of a URL, such as sslmode: the driver does.
      driverOptions: options,
      entities,
      pool: { min: 0, max: poolMax },
      forceUtcTimezone: true,
      logger: (message) => log.debug(message)
    })
    compileEntities(orm)
    const lookUps = new pg.Pool({ ...options, max: LOOK_UP_CONNECTIONS })
    const pool: pg.Pool = await orm.em.getDriver().getConnection().getNativeClient()
    for (const each of [pool, lookUps]) each.on('error', (error) => log.warn({ reason: error }, 'connection lost'))
    return new Database(orm, pool, lookUps, silent)
  }

  /** Runs a hot statement. The rows come as `pg` reads them, in the statement's own column names. */
  async run<Row extends object>(statement: Statement, values: unknown[]): Promise<Row[]> {
    return await traced(spanName(statement), CLIENT, async () => {
      // The ORM sets the pool up to read instants as text; here they come as Date.
      const result = await this.#pool.query<Row>({ ...statement, values, types: pg.types })
      return result.rows
    })
  }

  /** Connections of the pool for everything but look-ups: those that are in use or idle, and what waits for one. */
  get connections(): { busy: number; idle: number; waiting: number } {
    const { totalCount, idleCount, waitingCount } = this.#pool
    return { busy: totalCount - idleCount, idle: idleCount, waiting: waitingCount }
  }

  /** However many ask at a time, one look: anybody may ask. */
  async isReachable(): Promise<boolean> {
    this.#looking ??= this.#pool
      .query('select 1')
      .then(
        () => true,
        () => false
      )
      .finally(() => {
        this.#looking = null
      })
    return await this.#looking
  }

  /**
   * The same on connections of its own, for statements that wait for no lock: whoever runs one inside of a
   * transaction must not wait for a connection that somebody holds who waits for that transaction.
   */
  async lookUp<Row extends object>(statement: Statement, values: unknown[]): Promise<Row[]> {
    return await traced(spanName(statement), CLIENT, async () => {
      return (await this.#lookUps.query<Row>({ ...statement, values, types: pg.types })).rows
    })
  }

  /** Some private keys that are stored as wrapped under a master key. */
  async keysUnder(
    masterKey: string,
    limit: number
  ): Promise<{ keyId: string; publicKey: Buffer; wrappedPrivateKey: Buffer }[]> {
    const text = `
      select key_id as "keyId", public_key as "publicKey", wrapped_private_key as "wrappedPrivateKey"
        from conversation_keys where master_key = $1 limit $2`
    return (await this.#pool.query(text, [masterKey, limit])).rows
  }

  /** Whether private keys are wrapped under a master key. */
  async hasKeysUnder(masterKey: string): Promise<boolean> {
    const text = `
      select from conversation_keys where master_key = $1
       union all select from pooled_keys where master_key = $1 limit 1`
    return (await this.#pool.query(text, [masterKey])).rowCount !== 0
  }

  /** An entity manager of one's own, with an empty identity map. */
  entities(): EntityManager {
    return this.#orm.em.fork() as EntityManager
  }

  /** Runs `work` in one transaction, which is rolled back when it throws. */
  async transaction<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    return await traced('transaction', CLIENT, () => this.entities().transactional((em) => work(em as EntityManager)))
  }

  async close(): Promise<void> {
    await this.#silent.close()
    await this.#orm.close(true)
    await this.#lookUps.end()
  }
}

/** By its name: its text has nothing to do in a trace, and its values even less. */
function spanName({ name = 'unnamed' }: Statement): string {
  return `sql ${name}`
}

/**
 * Of every connection, also the first, which a pool may have opened before anybody listens to the pool. A pool hears of
 * errors while nobody has the connection; one that is lost between two statements of a transaction would end the
 * process, if nobody else did.
 */
function prepare(client: pg.ClientBase, silent: SilentDatabase): void {
  client.on('error', () => {})
  client.once('end', () => giveBack(client as pg.PoolClient))
  silent.watch(client)
}

/**
 * Of a connection that is gone: a transaction that cannot be begun, committed or rolled back on it keeps its place in
 * the pool for ever otherwise, since Kysely gives a connection back only after one of those has worked.
 */
function giveBack(client: pg.PoolClient): void {
  const { release } = client
  // Whoever has it still gives it back later, or never.
  client.release = () => {}
  try {
    release(true)
  } catch {
    // It was in the pool.
  }
}

/**
 * Runs a statement in the transaction of an entity manager with its values beside it, where the ORM would write
 * them into the text: for arrays, and for many bytes. Instants come back as text.
 */
export async function runIn<Row extends object>(
  em: EntityManager,
  { text }: Pick<Statement, 'text'>,
  values: unknown[]
): Promise<Row[]> {
  const { rows } = await em.getKysely().executeQuery<Row>(CompiledQuery.raw(text, values))
  return rows
}

/** SQLSTATE of a unique violation, whoever wrapped the driver's error. */
export function isUniqueViolation(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === '23505'
}

/** SQLSTATE of a lock that was not had in time. */
export function isLockTimeout(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === '55P03'
}
