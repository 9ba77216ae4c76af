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
  /** Told how much of the reading is done, 0 to 1: an export is read to its end before anything of it is stored, and again. */
  reportShare?: (share: number) => void
}

/** Imports an export, or plain JSON Lines. @throws TransferError */
export async function importFile(
  services: ImportServices,
  file: ImportedFile,
  order: ImportOrder
): Promise<ImportOutcome> {
  const readings = file.key === null ? 1 : 2
  const open = await openerOf(file.path, (share, reading) => file.reportShare?.((reading - 1 + share) / readings))
  if (file.key === null) {
    return await importRecords(services, { name: file.name ?? basename(file.path), lines: jsonLines(open()) }, order)
  }
  const trusted = await trustedKeys(services, file.signedBy)
  return await importExport(services, open, await privateKeyFrom(file.key), trusted, order)
}

async function trustedKeys(services: ImportServices, path: string | null): Promise<Set<string>> {
  if (path !== null) return await thumbprintsIn(path)
  return new Set((await listSigningKeys(services)).map(({ thumbprint }) => thumbprint))
}

/**
 * Of the public keys in a file: a deployment may have had several.
 *
 * @throws TransferError KEY
 */
export async function thumbprintsIn(path: string): Promise<Set<string>> {
  try {
    const pems = (await readFile(path, 'utf8')).match(/-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----/gs) ?? []
    if (pems.length === 0) throw new Error('none')
    const jwks = await Promise.all(pems.map((pem) => exportJWK(createPublicKey(pem))))
    return new Set(await Promise.all(jwks.map((jwk) => calculateJwkThumbprint(jwk))))
  } catch {
    throw new TransferError('KEY', `${path} has no public key in PEM.`)
  }
}
