import { Command } from '@commander-js/extra-typings'
import type { Services } from '../services.js'
import type { ImportOrder, ImportOutcome, ImportProgress } from '../transfer/import-records.js'
import { examples } from './examples.js'
import { UsageError } from './exit-codes.js'
import { operator } from './operator.js'
import { asOption, jsonOption } from './options.js'
import { Output } from './output.js'
import { TransferProgress } from './transfer-progress.js'
import { untilInterrupted, withServices } from './with-services.js'
import { ImportStopped } from './words-of.js'

interface Options {
  key?: string | undefined
  signedBy?: string | undefined
  name?: string | undefined
  sql?: true | undefined
  mapping?: string | undefined
}

export const importing = () =>
  new Command('import')
    .description(
      'Store the conversations of an export, of JSON Lines, or of tables of your own. It may be interrupted and given again at any time.'
    )
    .argument('[file]', 'an export, or JSON Lines')
    .option('--key <file>', 'private key in PEM that opens the export; without it the file is plain JSON Lines')
    .option(
      '--signed-by <file>',
      'public keys in PEM of which one must have signed the export (default: those of this deployment)'
    )
    .option('--name <name>', 'what the import is known by, when it is given again (default: the name of the file)')
    .option('--sql', 'read the tables of the database SOURCE_DATABASE_URL in the place of a file')
    .option('--mapping <file>', 'names of those tables and their columns, in JSON')
    .addOption(asOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples({
        'conclave import ward.export --key mine.pem --signed-by signing.pem': 'from another deployment',
        'conclave import old-chat.jsonl': 'from whatever writes JSON Lines',
        'SOURCE_DATABASE_URL=postgres://reader@localhost/chat conclave import --sql --mapping mapping.json':
          'from a table whose bodies RSA-OAEP has encrypted'
      })
    )
    .action(async (file, { as, json, ...options }) => {
      const output = new Output({ json })
      const progress = new TransferProgress(output, 'Reading')
      let position: number | null = null
      const order = {
        actor: operator(as).id,
        begun: (lines: number) => (position = lines),
        report: (reached: ImportProgress) => {
          position = reached.lines
          progress.show(reached, `${reached.messages} messages, line ${reached.lines}`)
        },
        stop: untilInterrupted()
      }
      const outcome = await withServices(
        (services) => run(services, file, options, order, (share) => progress.reach(share)),
        'api'
      )
        .catch((error) => {
          throw position === null ? error : new ImportStopped(error, position)
        })
        .finally(() => progress.end())
      output.print(outcome, wordsOn(outcome))
    })

async function run(
  services: Services,
  path: string | undefined,
  { key, signedBy, name, mapping, sql }: Options,
  order: ImportOrder,
  reportShare: (share: number) => void
): Promise<ImportOutcome> {
  if ((sql === true) === (path !== undefined)) throw new UsageError('Name a file or, with --sql, read tables.')
  if (path !== undefined) {
    const { importFile } = await import('../transfer/files/import-file.js')
    const file = { path, key: key ?? null, signedBy: signedBy ?? null, name: name ?? null, reportShare }
    return await importFile(services, file, order)
  }
  const databaseUrl = process.env.SOURCE_DATABASE_URL
  if (!databaseUrl) throw new UsageError('SOURCE_DATABASE_URL is missing: the database that the tables are in.')
  const { importTables } = await import('../transfer/files/import-tables.js')
  return await importTables(services, { databaseUrl, mapping: mapping ?? null, name: name ?? 'sql' }, order)
}

function wordsOn(outcome: ImportOutcome): string {
  const { lines, messages, resumedBehind, finished } = outcome
  const begun = resumedBehind > 0 ? `, begun behind line ${resumedBehind}` : ''
  const stored = `${messages} messages stored${begun}; all up to line ${lines} are in.${lossesOf(outcome)}`
  return finished ? stored : `Interrupted: ${stored} Give it again to go on.`
}

/** What is not there to be read, and nobody has deleted. */
function lossesOf({ unreadable, blank }: ImportOutcome): string {
  const counts: [number, string][] = [
    [unreadable, 'could not be opened any more when they were exported'],
    [blank, 'were blank']
  ]
  const losses = counts.filter(([count]) => count > 0).map(([count, why]) => `${count} that ${why}`)
  return losses.length > 0 ? ` Of all that are in, stored as deleted: ${losses.join(', ')}.` : ''
}
