import { createReadStream } from 'node:fs'
import { access, constants, readFile, stat } from 'node:fs/promises'
import type { OpenFile } from '../import-export.js'
import { type RecipientKey, readPrivateKey, readRecipientKey } from '../recipient-key.js'
import { TransferError, type TransferErrorCode } from '../transfer-error.js'

/** @throws TransferError KEY naming the file */
export async function recipientFrom(path: string): Promise<RecipientKey> {
  return await namedKey(path, readRecipientKey)
}

/** @throws TransferError KEY naming the file */
export async function privateKeyFrom(path: string): Promise<RecipientKey> {
  return await namedKey(path, readPrivateKey)
}

/** Text of a file that was named on the command line. @throws TransferError of that code, naming the file */
export async function readGiven(path: string, code: TransferErrorCode): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw unreadable(path, code, error)
  }
}

/**
 * @param read told how much of it was read since it was opened, 0 to 1
 * @throws TransferError FORMAT where there is no such file, or it cannot be read
 */
export async function openerOf(path: string, read: (share: number) => void = () => {}): Promise<OpenFile> {
  try {
    await access(path, constants.R_OK)
    const { size } = await stat(path)
    return () => counted(createReadStream(path), (bytes) => read(Math.min(1, bytes / size)))
  } catch (error) {
    throw unreadable(path, 'FORMAT', error)
  }
}

async function* counted(chunks: AsyncIterable<Buffer>, report: (bytes: number) => void): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    report(bytes)
    yield chunk
  }
}

async function namedKey(path: string, read: (pem: string) => Promise<RecipientKey>): Promise<RecipientKey> {
  const pem = await readGiven(path, 'KEY')
  try {
    return await read(pem)
  } catch (error) {
    if (!(error instanceof TransferError)) throw error
    throw new TransferError('KEY', `${path}: ${error.message}`)
  }
}

function unreadable(path: string, code: TransferErrorCode, error: unknown): TransferError {
  return new TransferError(code, `${path}: It cannot be read (${(error as NodeJS.ErrnoException).code}).`)
}
