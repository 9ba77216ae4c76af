/**
 * SQLSTATE classes 08 (connection), 53 (no room: disk, memory, connections) and 57P (server stops or starts), and codes
 * of node for a connection that is not to be had. EPIPE: a query that is written before the end of its connection is read.
 * The readers of a command are no part of it: `endWithReaders` ends the process as soon as one of them is gone.
 */
const OUTAGE_CODE = /^(08\w{3}|53\w{3}|57P\w{2}|ECONN.*|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/
/** The driver has no codes for these. */
const OUTAGE_TEXT = /timeout exceeded when trying to connect|Connection terminated|Query read timeout/

/** Whether something failed because the database is away, full or has no connection left: it may work later. */
export function isDatabaseOutage(error: unknown): boolean {
  const { code, message = '' } = (error ?? {}) as { code?: unknown; message?: string }
  return (typeof code === 'string' && OUTAGE_CODE.test(code)) || OUTAGE_TEXT.test(message)
}
