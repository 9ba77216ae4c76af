import { loadConfig } from '../config.js'
import type { Part } from '../database-access.js'
import { refuseCodeFromStrings, sealIntrinsics } from '../lock-down.js'
import { createLogger } from '../log.js'
import { handleProcessFaults } from '../process-faults.js'
import type { Services } from '../services.js'
import { EXIT } from './exit-codes.js'

/**
 * Composes what a part of the server has, on the configured database and beside whatever runs on it, for one piece of work. It acts
 * as the role of that part: as the worker's jobs do, where it is none other.
 *
 * @throws StartError, ConfigError where the environment is not as it must be
 */
export async function withServices<T>(work: (services: Services) => Promise<T>, part: Part = 'worker'): Promise<T> {
  const log = createLogger('error', process.stderr)
  handleProcessFaults(log, () => process.exit())
  const config = loadConfig(process.env)
  const { compose } = await import('../compose.js')
  const composition = await compose(config, log, { parts: [part], purpose: 'TOOL' })
  sealIntrinsics()
  // What is compiled are the queries of clients, which come to none of this.
  refuseCodeFromStrings()
  try {
    return await work(composition.services[part])
  } finally {
    await composition.close()
  }
}

/** Aborts with what ends a command from outside. It then ends by itself, soon. */
export function untilInterrupted(): AbortSignal {
  const stop = new AbortController()
  const end = () => {
    process.exitCode = EXIT.INTERRUPTED
    stop.abort()
  }
  process.once('SIGINT', end).once('SIGTERM', end)
  return stop.signal
}
