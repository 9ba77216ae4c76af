import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../log.js'

/** A server that is not there, or not yet: codes of node, and SQLSTATE 57P03 of one that is starting up. */
const NOT_THERE = /^(ECONN.*|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|57P03|57P01|no answer)$/
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 5_000

/** The driver has no code for a server that accepts a connection and then says nothing. */
export function connectionErrorCode(error: unknown): string {
  return (error as { code?: string }).code ?? 'no answer'
}

/**
 * Tries until the database is there, waiting longer each time and saying so. What another try does not mend, such as
 * a wrong password, is thrown at once.
 *
 * @param place of the database, for the log: never with a password
 * @param signal ends the waiting with its reason
 */
export async function untilReachable<T>(
  attempt: () => Promise<T>,
  place: string,
  log: Logger,
  signal: AbortSignal
): Promise<T> {
  const { promise: aborted, reject: abort } = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => abort(signal.reason), { once: true })
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
    try {
      // A server that says nothing takes its time to be given up.
      return await Promise.race([attempt(), aborted])
    } catch (error) {
      const { code } = error as { code?: unknown }
      if (typeof code !== 'string' || !NOT_THERE.test(code)) throw error
      log.warn({ database: place, code, waitMs }, 'the database cannot be reached yet: waiting for it')
    }
    await delay(waitMs, undefined, { signal })
  }
}
