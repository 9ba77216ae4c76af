import { setTimeout as sleep } from 'node:timers/promises'
import { Migrator } from '@mikro-orm/migrations'
import { MikroORM } from '@mikro-orm/postgresql'
import pg from 'pg'
import { migrations } from '../../migrations/index.js'
import { StartError } from '../start-error.js'
import { isLockTimeout } from './database.js'
import { ensureDatabaseRoles, revokeTemporary } from './database-roles.js'

/** Any number will do, as long as it stays the same. */
const MIGRATION_LOCK = 20_262
const CONNECT_MS = 10_000
/** Whatever else uses a table queues up behind a migration that waits for it, which lets go after that time, and tries anew. */
const PATIENCE = { lockWaitMs: 2_000, pauseMs: 1_000, tries: 20 }

/**
 * Brings the database up to date. Several processes may call it at once: an advisory lock lets one
 * of them work and the others wait. All pending migrations are applied, or none.
 *
 * @param url of the login that the tables belong to
 * @throws StartError where the roles are missing that the migrations give rights to, and the login may not make them;
 *   and where somebody else's transaction holds a table all the time
 */
export async function migrate(url: string, { lockWaitMs, pauseMs, tries } = PATIENCE): Promise<void> {
  const lock = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS })
  // Whatever is asked next says so.
  lock.on('error', () => {})
  await lock.connect()
  try {
    await lock.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
    await ensureDatabaseRoles(lock)
    await revokeTemporary(lock)
    const orm = await MikroORM.init({
      clientUrl: url,
      // The ORM takes no parameters of a URL, such as sslmode: the driver does.
      driverOptions: {
        connectionString: url,
        onConnect: (client: pg.ClientBase) => client.query(`set lock_timeout = ${lockWaitMs}`)
      },
      discovery: { warnWhenNoEntities: false },
      extensions: [Migrator],
      migrations: { migrationsList: migrations, tableName: 'migrations', snapshot: false, silent: true },
      logger: () => {}
    })
    try {
      await untilUnlocked(() => orm.migrator.up(), pauseMs, tries)
    } finally {
      await orm.close(true)
    }
  } finally {
    await lock.end()
  }
}

/** @param attempt leaves nothing behind where it fails */
async function untilUnlocked(attempt: () => Promise<unknown>, pauseMs: number, tries: number): Promise<void> {
  for (let left = tries; left > 0; left--) {
    try {
      await attempt()
      return
    } catch (error) {
      if (!isLockTimeout(error)) throw error
    }
    await sleep(pauseMs)
  }
  throw new StartError(
    `A migration waits for a table that another transaction holds; it was tried ${tries} times, and nothing is changed. End that transaction (pg_stat_activity shows those that have been open for long), and start again.`
  )
}
