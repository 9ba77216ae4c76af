import { type Logger, pino } from 'pino'
import { currentRequestId } from './request-id.js'

export type { Logger }

/** JSON lines on standard output. Entries hold ids, never bodies, titles, keys or tokens. */
export function createLogger(level: string, destination?: NodeJS.WritableStream): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, mixin: requestOfEntry }
  return destination ? pino(options, destination) : pino(options)
}

function requestOfEntry(): object {
  const requestId = currentRequestId()
  return requestId === undefined ? {} : { requestId }
}
