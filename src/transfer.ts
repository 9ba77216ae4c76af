import './require-node.js'
import './thread-pool.js'
import './zod-without-code.js'

import { userInfo } from 'node:os'
import { parseArgs } from 'node:util'
import { compose } from './compose.js'
import { ConfigError, loadConfig } from './config.js'
import type { Part } from './database-access.js'
import { ConclaveError } from './errors.js'
import { createLogger } from './log.js'
import { faultText } from './reason-of.js'
import type { Services } from './services.js'
import { StartError } from './start-error.js'
import type { ExportSubject } from './transfer/export-format.js'
import { exportFile } from './transfer/files/export-file.js'
import { importFile } from './transfer/files/import-file.js'
import { importTables } from './transfer/files/import-tables.js'
import { openFile } from './transfer/files/open-file.js'
import { writeThrough, writeWhole } from './transfer/files/write-whole.js'
import type { ImportOrder, ImportOutcome } from './transfer/import-records.js'
import { listSigningKeys } from './transfer/signing-key.js'
import { TransferError } from './transfer/transfer-error.js'

/** Takes conversations out of a deployment and into one. */

const USAGE = `usage: npm run -s transfer -- export <conversation> --for <public key.pem> [--out <file>]
       npm run -s transfer -- export --user <id> --for <public key.pem> [--out <file>]
       npm run -s transfer -- export --signing-keys
       npm run -s transfer -- open <file> --key <private key.pem> [--signed-by <public key.pem>] [--out <file>]
       npm run -s transfer -- import <file> [--key <private key.pem> [--signed-by <public key.pem>]] [--name <name>]
       npm run -s transfer -- import --sql [--mapping <file.json>] [--name <name>]
An import of an export wants its --key; without one the file is plain JSON Lines. --sql reads the tables of the database
SOURCE_DATABASE_URL. An import may be interrupted and run again at any time: it goes on where it was.
All but open read the environment that the server is started with.`

const OPTIONS = {
  for: { type: 'string' },
  user: { type: 'string' },
  out: { type: 'string' },
  'signing-keys': { type: 'boolean' },
  key: { type: 'string' },
  'signed-by': { type: 'string' },
  name: { type: 'string' },
  mapping: { type: 'string' },
  sql: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' }
} as const

type Values = ReturnType<typeof parse>['values']

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parse(args)
  const [command, place, ...rest] = positionals
  if (values.help) return console.log(USAGE)
  if (rest.length > 0) throw new StartError(USAGE)
  if (command === 'export') return await runExport(place, values)
  if (command === 'open' && place) return await runOpen(place, values)
  if (command === 'import') return await runImport(place, values)
  throw new StartError(USAGE)
}

async function runExport(conversationId: string | undefined, values: Values): Promise<void> {
  const { for: recipient, user: userId } = values
  const out = values.out ?? null
  await withServices('worker', async (services) => {
    if (values['signing-keys']) return await printSigningKeys(services)
    const subject = subjectOf(conversationId, userId)
    if (!subject || !recipient) throw new StartError(USAGE)
    const report = (records: number) => process.stderr.write(`\r${records} records`)
    await exportFile(services, { subject, recipient, out, actor: operator(), report })
    process.stderr.write('\n')
  })
}

function subjectOf(conversationId: string | undefined, userId: string | undefined): ExportSubject | null {
  if (conversationId !== undefined && userId === undefined) return { conversationId }
  return conversationId === undefined && userId !== undefined ? { userId } : null
}

async function printSigningKeys(services: Services): Promise<void> {
  for (const { thumbprint, publicKeyPem, createdAt } of await listSigningKeys(services)) {
    process.stdout.write(`${thumbprint}  since ${createdAt.toISOString()}\n${publicKeyPem}`)
  }
}

async function runOpen(path: string, { key, out, 'signed-by': signedBy }: Values): Promise<void> {
  if (!key) throw new StartError(USAGE)
  const opened = await openFile(path, key, signedBy ?? null)
  await (out === undefined ? writeThrough(process.stdout, opened.lines) : writeWhole(out, opened.lines))
  const { counts, createdAt } = opened.manifest
  const compared = signedBy === undefined ? 'compare that with the key of the deployment' : 'as it has to be'
  process.stderr.write(
    `${counts.message} messages, exported at ${createdAt}, signed by ${opened.signedBy}: ${compared}.\n`
  )
}

async function runImport(path: string | undefined, values: Values): Promise<void> {
  const { key = null, 'signed-by': signedBy = null, name, mapping = null, sql = false } = values
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())
  const report = ({ lines, messages }: { lines: number; messages: number }) =>
    process.stderr.write(`\r${messages} messages, line ${lines}`)
  const order: ImportOrder = { actor: operator(), report, stop: stop.signal }
  await withServices('api', async (services) => {
    const databaseUrl = process.env.SOURCE_DATABASE_URL
    if (sql !== (path === undefined) || (sql && !databaseUrl)) throw new StartError(USAGE)
    const outcome =
      path === undefined
        ? await importTables(services, { databaseUrl: databaseUrl ?? '', mapping, name: name ?? 'sql' }, order)
        : await importFile(services, { path, key, signedBy, name: name ?? null }, order)
    process.stderr.write(`\n${wordsOn(outcome)}\n`)
    if (!outcome.finished) process.exitCode = 1
  })
}

function wordsOn({ lines, messages, resumedBehind, finished }: ImportOutcome): string {
  const begun = resumedBehind > 0 ? `, begun behind line ${resumedBehind}` : ''
  const stored = `${messages} messages stored${begun}; all up to line ${lines} are in.`
  return finished ? stored : `Interrupted: ${stored} Run it again to go on.`
}

async function withServices(part: Part, work: (services: Services) => Promise<void>): Promise<void> {
  const log = createLogger('error', process.stderr)
  const composition = await compose(loadConfig(process.env), log, { parts: [part], purpose: 'TOOL' })
  try {
    await work(composition.services[part])
  } finally {
    await composition.close()
  }
}

/** Who runs this, for the audit trail: no user can have such an id. */
function operator(): string {
  return `operator:${userInfo().username}`
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true })
  } catch (error) {
    throw new StartError(`${(error as Error).message}\n${USAGE}`)
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof TransferError)
    return error.line === null ? error.message : `Line ${error.line}: ${error.message}`
  const known = error instanceof StartError || error instanceof ConfigError || error instanceof ConclaveError
  return known ? error.message : faultText(error)
}

main(process.argv.slice(2)).then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`\n${wordsOf(error)}\n`)
    process.exit(1)
  }
)
