import { compose } from '../../src/compose.js'
import { loadConfig } from '../../src/config.js'
import { createLogger } from '../../src/log.js'
import type { Services } from '../../src/services.js'

/** Works with the services of the program on a database, in this process, and closes them. */
export async function withServices<T>(
  environment: Record<string, string>,
  work: (services: Services) => Promise<T>
): Promise<T> {
  const composition = await compose(loadConfig(environment), createLogger('error'))
  try {
    return await work(composition.services)
  } finally {
    await composition.close()
  }
}
