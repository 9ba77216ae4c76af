import { CHUNK_BYTES } from '../export-format.js'
import { readVerified, verifyExport } from '../import-export.js'
import type { OpenedExport } from '../open-export.js'
import { TransferError } from '../transfer-error.js'
import { openerOf, privateKeyFrom } from './given-files.js'
import { thumbprintsIn } from './import-file.js'

/**
 * Opens an export, once it was read to its end and found to be whole.
 *
 * @param keyPath file of the private key
 * @param signedBy file of the public keys of which one must have signed it; null for any
 * @returns what is known of it, and its lines, each with its line feed, in pieces
 * @throws TransferError
 */
export async function openFile(
  path: string,
  keyPath: string,
  signedBy: string | null
): Promise<OpenedExport & { lines: AsyncGenerator<string> }> {
  const key = await privateKeyFrom(keyPath)
  const open = await openerOf(path)
  const opened = await verifyExport(open, key)
  if (signedBy !== null && !(await thumbprintsIn(signedBy)).has(opened.signedBy)) {
    throw new TransferError('MANIFEST', `The export was signed by ${opened.signedBy}, and by no key in ${signedBy}.`)
  }
  return { ...opened, lines: texts(readVerified(open, key, opened)) }
}

/** In pieces of many lines: each is a call to the system. */
async function* texts(lines: AsyncIterable<{ text: string }>): AsyncGenerator<string> {
  let piece = ''
  for await (const { text } of lines) {
    piece += `${text}\n`
    if (piece.length < CHUNK_BYTES) continue
    yield piece
    piece = ''
  }
  yield piece
}
