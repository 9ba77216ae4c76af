import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/**
 * Writes lines to a file that only its owner may read. It has its name once it is whole: what is there under that name
 * until then stays as it is.
 */
export async function writeWhole(path: string, lines: AsyncIterable<string>): Promise<void> {
  const partial = `${path}.partial`
  try {
    await pipeline(lines, createWriteStream(partial, { mode: 0o600 }))
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

/** Writes lines to what stays open, such as standard output, as fast as it is read there. */
export async function writeThrough(output: Writable, lines: AsyncIterable<string>): Promise<void> {
  for await (const line of lines) {
    if (!output.write(line)) await once(output, 'drain')
  }
}
