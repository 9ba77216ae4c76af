import { createPublicKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { calculateJwkThumbprint, exportJWK } from 'jose'
import { importExport } from '../import-export.js'
import { type ImportOrder, type ImportOutcome, type ImportServices, importRecords } from '../import-records.js'
import { jsonLines } from '../import-source.js'
import { listSigningKeys } from '../signing-key.js'
import { TransferError } from '../transfer-error.js'
import { openerOf, privateKeyFrom } from './given-files.js'

export interface ImportedFile {
  path: string
  /** File of the private key that opens it; null for plain JSON Lines. */
  key: string | null
  /** File of the public key that has signed it; null: one of this deployment's own. */
  signedBy: string | null
  /** What an import of JSON Lines is known by; null: the name of the file. */
  name: string | null
}

/** Imports an export, or plain JSON Lines. @throws TransferError */
export async function importFile(
  services: ImportServices,
  file: ImportedFile,
  order: ImportOrder
): Promise<ImportOutcome> {
  const open = await openerOf(file.path)
  if (file.key === null) {
    return await importRecords(services, { name: file.name ?? basename(file.path), lines: jsonLines(open()) }, order)
  }
  const trusted = await trustedKeys(services, file.signedBy)
  return await importExport(services, open, await privateKeyFrom(file.key), trusted, order)
}

async function trustedKeys(services: ImportServices, path: string | null): Promise<Set<string>> {
  if (path !== null) return new Set([await thumbprintOf(path)])
  return new Set((await listSigningKeys(services)).map(({ thumbprint }) => thumbprint))
}

/** @throws TransferError KEY */
export async function thumbprintOf(path: string): Promise<string> {
  try {
    return await calculateJwkThumbprint(await exportJWK(createPublicKey(await readFile(path))))
  } catch {
    throw new TransferError('KEY', `${path} is not a public key in PEM.`)
  }
}
