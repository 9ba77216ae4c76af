import type { Config } from '../../config.js'
import { Database } from '../../database/database.js'
import { databaseLogin } from '../../database/database-login.js'
import { type DatabaseUrls, PART_ROLES } from '../../database-access.js'
import type { Logger } from '../../log.js'

/** A few connections, as whichever part there is a login for. */
export async function openForLooking({ databasePoolMax }: Config, urls: DatabaseUrls, log: Logger): Promise<Database> {
  const part = urls.worker ? 'worker' : 'api'
  return await Database.open(databaseLogin(urls[part] ?? '', PART_ROLES[part]), Math.min(databasePoolMax, 2), log)
}
