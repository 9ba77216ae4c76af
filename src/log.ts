import { type Logger, pino } from 'pino'
import { faultOf, reasonOf } from './reason-of.js'
import { currentRequestId } from './request-id.js'

export type { Logger }

/** Members that no entry should have; one that has them all the same is written without. */
const SECRET = [
  ...['authorization', 'cookie', 'headers', 'token', 'password', 'secret', 'connectionString', 'url'],
  ...['body', 'title', 'plaintext', 'variables', 'query', 'parameters', 'detail', 'where', 'command']
]

/**
 * JSON lines on standard output. Entries hold ids, never bodies, titles, keys or tokens. Give errors as `reason`:
 * what they quote stays out.
 */
export function createLogger(level: string, destination?: NodeJS.WritableStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    mixin: requestOfEntry,
    serializers: { reason: reasonOf, err: faultOf },
    redact: { paths: [...SECRET, ...SECRET.map((name) => `*.${name}`)], remove: true }
  }
  return destination ? pino(options, destination) : pino(options)
}

function requestOfEntry(): object {
  const requestId = currentRequestId()
  return requestId === undefined ? {} : { requestId }
}

/** What libraries write to the console goes to the log, and their errors without what they quote. */
export function logConsole(log: Logger): void {
  const entry = (words: unknown[]) => ({ reason: words.find((word) => word instanceof Error) ?? words.join(' ') })
  console.error = (...words: unknown[]) => log.error(entry(words), 'a library has an error')
  console.warn = (...words: unknown[]) => log.warn(entry(words), 'a library has a warning')
}
