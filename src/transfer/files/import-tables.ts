import pg from 'pg'
import { type ImportOrder, type ImportOutcome, type ImportServices, importRecords } from '../import-records.js'
import { READ_ONLY, readTables } from '../sql/read-tables.js'
import { parseMapping } from '../sql/table-mapping.js'
import { TransferError } from '../transfer-error.js'
import { readGiven } from './given-files.js'

export interface ImportedTables {
  /** Of the database that they are in. */
  databaseUrl: string
  /** File of the mapping; null for its defaults. */
  mapping: string | null
  /** What the import is known by. */
  name: string
}

/** Imports conversations out of somebody else's tables. @throws TransferError */
export async function importTables(
  services: ImportServices,
  tables: ImportedTables,
  order: ImportOrder
): Promise<ImportOutcome> {
  const mapping = parseMapping(tables.mapping === null ? null : await readGiven(tables.mapping, 'FORMAT'))
  const client = new pg.Client({ connectionString: tables.databaseUrl, options: READ_ONLY })
  let lost: Error | null = null
  // A connection that breaks between two queries: without a listener that would end the process.
  client.on('error', (error) => (lost ??= error))
  try {
    await client.connect()
  } catch (error) {
    // Without the URL, which has a password.
    throw new TransferError(
      'FORMAT',
      `The database to import from cannot be reached: ${(error as { code?: string }).code ?? 'no answer'}.`
    )
  }
  try {
    const source = { name: tables.name, lines: readTables(client, mapping), takesBlank: true }
    return await importRecords(services, source, order)
  } catch (error) {
    throw explained(error, lost)
  } finally {
    await client.end()
  }
}

/** @param lost why there is no connection any more: then the next query says that there is none */
function explained(error: unknown, lost: Error | null): unknown {
  if (lost !== null && !(error instanceof TransferError)) {
    const why = (lost as { code?: string }).code ?? 'it was closed'
    return new TransferError('FORMAT', `The connection to the database to import from was lost (${why}).`)
  }
  const { code = '', message } = error as { code?: unknown; message: string }
  // SQLSTATE class 42: a table or a column that the mapping names and that is not there, or may not be read.
  if (typeof code !== 'string' || !code.startsWith('42')) return error
  return new TransferError('FORMAT', `The tables are not as the mapping has them: ${message}.`)
}
