import { verifyKeyEvents } from '../src/conversation-key/verify-key-events.js'
import type { Services } from '../src/services.js'

/** Verifies the whole audit trail, from the first event on, and tells who watches. */
export async function verifyAudit({ database, clock, metrics, log }: Services): Promise<void> {
  const { valid, checked, firstInvalidSequence } = await verifyKeyEvents({ database })
  metrics.audit.verified(valid, clock.now())
  if (!valid) log.error({ checked, firstInvalidSequence }, 'the audit trail was changed, or cut short')
}
