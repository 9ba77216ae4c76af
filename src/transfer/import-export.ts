import type { ExportSubject, Manifest } from './export-format.js'
import { type ImportOrder, type ImportOutcome, type ImportServices, importRecords } from './import-records.js'
import { exportLines } from './import-source.js'
import { type OpenedExport, type OpenedLine, openExport } from './open-export.js'
import type { RecipientKey } from './recipient-key.js'
import { TransferError } from './transfer-error.js'

/** Opens the file anew each time: an export is read twice. */
export type OpenFile = () => AsyncIterable<Buffer>

/** Reads an export to its end, and keeps nothing of it. @throws TransferError */
export async function verifyExport(open: OpenFile, key: RecipientKey): Promise<OpenedExport> {
  const opened = openExport(open(), key)
  for (;;) {
    const { done, value } = await opened.next()
    if (done) return value
  }
}

/**
 * The lines of an export that was verified, read once more.
 *
 * @throws TransferError MANIFEST at its end where it is no longer the one that was verified
 */
export async function* readVerified(
  open: OpenFile,
  key: RecipientKey,
  verified: OpenedExport
): AsyncGenerator<OpenedLine> {
  const again = yield* openExport(open(), key)
  const isSame =
    again.manifest.exportId === verified.manifest.exportId &&
    again.manifest.sha256 === verified.manifest.sha256 &&
    again.signedBy === verified.signedBy
  if (isSame) return
  throw new TransferError(
    'MANIFEST',
    'The file was exchanged between its two readings: do not rely on what was read from it.'
  )
}

/**
 * Imports a conversation from an export, once it was read to its end and found to be whole and signed: before that
 * nothing is stored.
 *
 * @param trusted thumbprints of the keys that may have signed it
 * @throws TransferError
 */
export async function importExport(
  services: ImportServices,
  open: OpenFile,
  key: RecipientKey,
  trusted: ReadonlySet<string>,
  order: ImportOrder
): Promise<ImportOutcome & { manifest: Manifest }> {
  const verified = await verifyExport(open, key)
  const { manifest, signedBy } = verified
  if (!trusted.has(signedBy)) {
    throw new TransferError(
      'MANIFEST',
      `The export was signed by ${signedBy}, which is not known here. Have the public key of the deployment that made it given to you by a way that you trust, and name it.`
    )
  }
  requireConversation(manifest.subject)
  const source = {
    name: `export:${manifest.exportId}`,
    lines: exportLines(readVerified(open, key, verified), manifest.after)
  }
  return { manifest, ...(await importRecords(services, source, order)) }
}

function requireConversation(subject: ExportSubject): void {
  if ('conversationId' in subject) return
  throw new TransferError('FORMAT', 'This is what one user wrote, and no conversation: it cannot be imported.')
}
