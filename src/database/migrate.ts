import { Migrator } from '@mikro-orm/migrations'
import { MikroORM } from '@mikro-orm/postgresql'
import pg from 'pg'
import { migrations } from '../../migrations/index.js'
import { ensureDatabaseRoles, revokeTemporary } from './database-roles.js'

/** Any number will do, as long as it stays the same. */
const MIGRATION_LOCK = 20_262
const CONNECT_MS = 10_000

/**
 * Brings the database up to date. Several processes may call it at once: an advisory lock lets one
 * of them work and the others wait. All pending migrations are applied, or none.
 *
 * @param url of the login that the tables belong to
 * @throws StartError where the roles are missing that the migrations give rights to, and the login may not make them
 */
export async function migrate(url: string): Promise<void> {
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
      driverOptions: { connectionString: url },
      discovery: { warnWhenNoEntities: false },
      extensions: [Migrator],
      migrations: { migrationsList: migrations, tableName: 'migrations', snapshot: false, silent: true },
      logger: () => {}
    })
    try {
      await orm.migrator.up()
    } finally {
      await orm.close(true)
    }
  } finally {
    await lock.end()
  }
}
