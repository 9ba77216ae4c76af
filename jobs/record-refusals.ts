import { closeRefusalWindows } from '../src/conversation-key/record-refusal.js'
import type { Services } from '../src/services.js'

/** Records how often operations were refused that were too many to be recorded one by one. */
export async function recordRefusals({ database, clock }: Services): Promise<void> {
  await closeRefusalWindows({ database, now: clock.now() })
}
