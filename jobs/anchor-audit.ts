import { anchorKeyEvents } from '../src/conversation-key/verify-key-events.js'
import type { Services } from '../src/services.js'

/** Records the heads of all chains of the audit trail in one of them, and in the log: a witness outside of the database. */
export async function anchorAudit({ database, clock, log }: Services): Promise<void> {
  const heads = await anchorKeyEvents({ database, now: clock.now() })
  if (heads) log.info({ heads }, 'audit trail anchored')
}
