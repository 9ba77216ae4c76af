import type { Statement } from '../database/database.js'
import type { Services } from '../services.js'

/** Sends that stand still tell nothing: what they said last counts for so long. */
const FRESH_MS = 30_000
/** Sends that take longer than this, measured by what they take as a rule, slow a rewrap down. */
const SLOWED = 1.5
const PAUSE_MAX_MS = 5000

export const SLOWEST_SEND_PACE: Statement = {
  name: 'slowest-send-pace',
  text: `select max(now_us::float8 / greatest(usual_us, 1)) as slowdown from send_paces where at > $1`
}

/**
 * How long a rewrap should wait after a step that took `tookMs`, so that it takes no more from sends than they can
 * spare: the slower the sends of any process are, the longer; nothing as long as they are not slower than usual.
 */
export async function rewrapPauseMs(
  { database, clock }: Pick<Services, 'database' | 'clock'>,
  tookMs: number
): Promise<number> {
  const since = new Date(clock.now().getTime() - FRESH_MS)
  const [row] = await database.lookUp<{ slowdown: number | null }>(SLOWEST_SEND_PACE, [since])
  const slowdown = row?.slowdown ?? 1
  return slowdown < SLOWED ? 0 : Math.min(PAUSE_MAX_MS, 4 * tookMs * (slowdown - 1))
}
