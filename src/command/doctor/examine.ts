import { type Config, ConfigError, loadConfig } from '../../config.js'
import { createLogger } from '../../log.js'
import { examineClock, type OtherClock } from './examine-clock.js'
import { examineDatabase } from './examine-database.js'
import { examineKeys } from './examine-keys.js'
import { examineMasterKeys } from './examine-master-keys.js'
import { examineRedis } from './examine-redis.js'
import { type Finding, fault, NEEDED, notChecked, ok, warning } from './finding.js'
import { openForLooking } from './open-for-looking.js'

/** Looks at everything that a server needs, one thing after the other, as far as each can be looked at. */
export async function* examine(env: NodeJS.ProcessEnv): AsyncGenerator<Finding> {
  const config = configurationOf(env)
  if (Array.isArray(config)) return yield* config
  yield* remarksOn(config)
  const clocks: OtherClock[] = []
  const database = await examineDatabase(config, clocks)
  try {
    yield* database.findings
    yield* await examineRedis(config.redisUrl, clocks)
    const opened = database.usable ? await openForLooking(config, database.usable, createLogger('silent')) : null
    try {
      yield* await examineMasterKeys(config, opened)
      yield* opened ? await examineKeys(opened) : [notChecked('keys', NEEDED)]
    } finally {
      await opened?.close()
    }
    yield* examineClock(clocks)
  } finally {
    await database.close()
  }
}

function configurationOf(env: NodeJS.ProcessEnv): Config | Finding[] {
  try {
    return loadConfig(env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const rest = ['database', 'migrations', 'logins', 'redis', 'master key', 'keys', 'clock'] as const
    return [
      ...error.problems.map((problem) => fault('configuration', problem)),
      ...rest.map((check) => notChecked(check, NEEDED))
    ]
  }
}

function* remarksOn({ mode, databaseUrl, apiDatabaseUrl, workerDatabaseUrl, masterKey }: Config): Generator<Finding> {
  const embedded = !databaseUrl && !apiDatabaseUrl && !workerDatabaseUrl
  const where = embedded ? 'an embedded database' : 'a database of its own'
  yield ok('configuration', `All variables can be used. Mode ${mode}, ${where}, master key ${masterKey}.`)
  if (mode === 'development' && !embedded) {
    yield warning(
      'configuration',
      'It is in development, with introspection and explorers; while HOST is this machine whoever is on it may have a token. Set NODE_ENV=production where others use it.'
    )
  }
}
