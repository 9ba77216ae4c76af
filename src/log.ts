import { type Logger, pino } from 'pino'

export type { Logger }

/** JSON lines on standard output. Entries hold ids, never bodies, titles, keys or tokens. */
export function createLogger(level: string, destination?: NodeJS.WritableStream): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return destination ? pino(options, destination) : pino(options)
}
