import { once } from 'node:events'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { TransferError } from '../transfer-error.js'

/**
 * Writes lines to a file that only its owner may read. It has its name once it is whole: what is there under that name
 * until then stays as it is.
 *
 * @throws TransferError CONFLICT where another is writing it, FORMAT where it cannot be written
 */
export async function writeWhole(path: string, lines: AsyncIterable<string>): Promise<void> {
  const partial = `${path}.partial`
  const file = await created(partial)
  try {
    await pipeline(lines, file.createWriteStream())
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

/** A new file: what is there, or a link that somebody has laid, is not written to. */
async function created(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST') throw new TransferError('FORMAT', `${path}: It cannot be written (${code}).`)
    throw new TransferError('CONFLICT', `${path} is there: it is being written. If nobody does, remove it.`)
  }
}

/** Writes lines to what stays open, such as standard output, as fast as it is read there. */
export async function writeThrough(output: Writable, lines: AsyncIterable<string>): Promise<void> {
  for await (const line of lines) {
    if (!output.write(line)) await once(output, 'drain')
  }
}
