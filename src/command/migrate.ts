import { Command } from '@commander-js/extra-typings'
import { examples } from './examples.js'
import { jsonOption } from './options.js'
import { Output } from './output.js'

export const migrate = () =>
  new Command('migrate')
    .description(
      'Bring the database up to date, and end: where API and worker do not have the login of its owner. Reads DATABASE_URL, of the login that owns the tables, and REDIS_URL, where jobs are not in the database.'
    )
    .addOption(jsonOption())
    .addHelpText('after', examples({ 'DATABASE_URL=postgres://owner:…@host/db conclave migrate': 'as the owner' }))
    .action(async (options) => {
      const [{ loadMigrationConfig }, { migrateAll }] = await Promise.all([
        import('../config.js'),
        import('../database-access.js')
      ])
      const config = loadMigrationConfig(process.env)
      await migrateAll(config.databaseUrl, config)
      new Output(options).print({ database: 'up to date' }, 'The database is up to date.')
    })
