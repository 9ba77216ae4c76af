import { type Composition, compose } from '../../src/compose.js'
import { loadConfig } from '../../src/config.js'
import type { Part } from '../../src/database-access.js'
import { createLogger } from '../../src/log.js'
import type { Services } from '../../src/services.js'

/** The services of the program on a database, in this process. */
export async function openServices(environment: Record<string, string>): Promise<Composition> {
  return await compose(loadConfig(environment), createLogger('error'), { parts: ['api', 'worker'] })
}

/** Works with those of one part, and closes them. */
export async function withServices<T>(
  environment: Record<string, string>,
  part: Part,
  work: (services: Services) => Promise<T>
): Promise<T> {
  const composition = await openServices(environment)
  try {
    return await work(composition.services[part])
  } finally {
    await composition.close()
  }
}
