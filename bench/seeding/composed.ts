import { type Composition, compose } from '../../src/compose.js'
import { loadConfig } from '../../src/config.js'
import { createLogger } from '../../src/log.js'
import type { Services } from '../../src/services.js'

/** The services of the program on a database, in this process. */
export async function openServices(environment: Record<string, string>): Promise<Composition> {
  return await compose(loadConfig(environment), createLogger('error'))
}

/** Works with them, and closes them. */
export async function withServices<T>(
  environment: Record<string, string>,
  work: (services: Services) => Promise<T>
): Promise<T> {
  const composition = await openServices(environment)
  try {
    return await work(composition.services)
  } finally {
    await composition.close()
  }
}
