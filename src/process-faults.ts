import type { Logger } from './log.js'
import { faultOf } from './reason-of.js'

/**
 * What happens when something goes wrong that nobody has thought of. A promise that nobody waited for has failed for
 * one request at most: it is logged, and the process goes on. After an error that nobody caught nobody knows what
 * state anything is in: the process ends in an orderly way, and whoever runs it starts another.
 *
 * @param stop begins the orderly end
 */
export function handleProcessFaults(log: Logger, stop: () => void): void {
  process.on('unhandledRejection', (reason) => {
    log.error(placeOf(reason), 'a promise failed that nobody waited for')
  })
  process.on('uncaughtException', (error) => {
    // Nobody reads the log any more: to say so there would fail again, for ever.
    if (isClosedPipe(error)) process.exit(0)
    process.exitCode = 1
    log.fatal(placeOf(error), 'an error was not caught: the process ends')
    stop()
  })
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (isClosedPipe(error)) stop()
    })
  }
}

/** Where it was, and not what it was about: of errors that nobody has thought of nobody knows what their words hold. */
function placeOf(fault: unknown): object {
  const { name, stack } = faultOf(fault)
  return { name, code: (fault as { code?: unknown } | null)?.code, stack }
}

function isClosedPipe(error: unknown): boolean {
  return (error as { code?: string }).code === 'EPIPE'
}
