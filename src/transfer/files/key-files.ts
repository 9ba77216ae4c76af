import { readFile } from 'node:fs/promises'
import { type RecipientKey, readPrivateKey, readRecipientKey } from '../recipient-key.js'
import { TransferError } from '../transfer-error.js'

/** @throws TransferError KEY naming the file */
export async function recipientFrom(path: string): Promise<RecipientKey> {
  return await named(path, async () => await readRecipientKey(await readFile(path, 'utf8')))
}

/** @throws TransferError KEY naming the file */
export async function privateKeyFrom(path: string): Promise<RecipientKey> {
  return await named(path, async () => await readPrivateKey(await readFile(path, 'utf8')))
}

async function named<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    const problem = error instanceof TransferError ? message : `It cannot be read (${code}).`
    throw new TransferError('KEY', `${path}: ${problem}`)
  }
}
