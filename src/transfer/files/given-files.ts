import { createReadStream } from 'node:fs'
import { access, constants, readFile } from 'node:fs/promises'
import type { OpenFile } from '../import-export.js'
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

/** @throws TransferError FORMAT where there is no such file, or it cannot be read */
export async function openerOf(path: string): Promise<OpenFile> {
  try {
    await access(path, constants.R_OK)
  } catch (error) {
    throw new TransferError('FORMAT', `${path}: It cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
  return () => createReadStream(path) as AsyncIterable<Buffer>
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
