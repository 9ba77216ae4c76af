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

/** Told how much of a file was read, 0 to 1, and in which reading of it, from 1; never of a pipe, whose length nobody knows. */
export type ReportShare = (share: number, reading: number) => void

/** @throws TransferError FORMAT where there is no such file, or it cannot be read */
export async function openerOf(path: string, reportShare: ReportShare = () => {}): Promise<OpenFile> {
  try {
    await access(path, constants.R_OK)
    const found = await stat(path)
    if (!found.isFile()) return () => createReadStream(path) as AsyncIterable<Buffer>
    let readings = 0
    return () => {
      const reading = ++readings
      return counted(createReadStream(path), (bytes) => reportShare(Math.min(1, bytes / found.size), reading))
    }
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
