import type { Writable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { EXIT } from './exit-codes.js'

/**
 * Ends the process as soon as whoever reads what it prints has gone, as `head` does: nothing that is printed from then on
 * would be of use to anybody. No message: that is how a pipe is meant to end.
 *
 * @param isServer then not: `handleProcessFaults` ends it in an orderly way
 */
export function endWithReaders(isServer: boolean): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (isServer) return
      if (code === 'EPIPE') process.exit(EXIT.READER_GONE)
      process.stderr.write(`What was printed could not be written (${code}).\n`)
      process.exit(EXIT.FAILED)
    })
  }
}

/** Waits until all that was written is on its way: a process that exits takes with it what a pipe had no room for. */
export async function drained(stream: Writable): Promise<void> {
  // Called back in any case, with an error where the reader is gone.
  if (stream.writableLength > 0) await new Promise<void>((resolve) => stream.write('', () => resolve()))
  // The event of such an error comes behind the call.
  await nextTurn()
}
