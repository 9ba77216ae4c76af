import { MAX_LINE_BYTES } from './export-format.js'
import { TransferError } from './transfer-error.js'

export interface FileLine {
  /** From 1. */
  number: number
  /** Without its line feed. */
  bytes: Buffer
  /** Whether a line feed follows: a last line without one may have been cut off. */
  ended: boolean
}

/**
 * The lines of a file, one after the other: memory holds one of them at a time.
 *
 * @throws TransferError LINE for one that is longer than any that an export has
 */
export async function* fileLines(chunks: AsyncIterable<Buffer>, maxBytes = MAX_LINE_BYTES): AsyncGenerator<FileLine> {
  let number = 0
  let begun: Buffer[] = []
  let begunBytes = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      const rest = chunk.subarray(start, end)
      requireLength(number + 1, begunBytes + rest.length, maxBytes)
      yield { number: ++number, bytes: begun.length === 0 ? rest : Buffer.concat([...begun, rest]), ended: true }
      begun = []
      begunBytes = 0
      start = end + 1
    }
    if (start === chunk.length) continue
    begun.push(chunk.subarray(start))
    begunBytes += chunk.length - start
    requireLength(number + 1, begunBytes, maxBytes)
  }
  if (begunBytes > 0) yield { number: number + 1, bytes: Buffer.concat(begun), ended: false }
}

function requireLength(number: number, bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) throw new TransferError('LINE', `The line is longer than ${maxBytes} bytes.`, number)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** @throws TransferError LINE for bytes that are not UTF-8 */
export function lineText({ number, bytes }: Pick<FileLine, 'number' | 'bytes'>): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new TransferError('LINE', 'The line is not UTF-8.', number)
  }
}
