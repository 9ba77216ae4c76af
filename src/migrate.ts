import './require-node.js'

import { ConfigError, loadMigrationConfig } from './config.js'
import { migrateAll } from './database-access.js'
import { faultText } from './reason-of.js'
import { StartError } from './start-error.js'

/** Brings the database up to date and ends: for deployments whose API and worker do not have its owner's login. */

async function main(args: string[]): Promise<void> {
  if (args.length > 0) {
    throw new StartError(`usage: npm run -s migrate
  It reads DATABASE_URL, of the login that owns the tables, and REDIS_URL, where jobs are not in the database.`)
  }
  const config = loadMigrationConfig(process.env)
  await migrateAll(config.databaseUrl, config)
  console.log('The database is up to date.')
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof StartError || error instanceof ConfigError ? error.message : faultText(error))
    process.exit(1)
  }
)
