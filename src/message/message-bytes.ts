import { QueryTooComplex } from '../errors.js'
import type { Message } from './message.js'

/**
 * Of envelopes that one look-up of a query reads, and opens: more than a page of 200 messages of 64 KiB. The cost of a
 * query counts fields, and a body may be one byte or a whole document.
 */
export const MAX_BYTES = 16 * 1024 * 1024

/** Rows of a statement that ends with the first message that is too much. */
export function requireWithinBytes<Row extends object>(rows: (Row & { bytesSoFar: number })[]): Row[] {
  requireAtMost(rows.at(-1)?.bytesSoFar ?? 0)
  return rows
}

/** The same of messages that were read already: many replies may be to one message. */
export function requireBytesToOpen(messages: readonly Message[]): void {
  requireAtMost(messages.reduce((sum, { envelope }) => sum + (envelope?.length ?? 0), 0))
}

function requireAtMost(bytes: number): void {
  if (bytes > MAX_BYTES) throw new QueryTooComplex('bytes', MAX_BYTES, bytes)
}
