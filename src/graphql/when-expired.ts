import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'

/** Longest delay that a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * Ends what stays open under a token when the token runs out.
 *
 * @returns the timer, to be cleared by whoever ends first; none for a token without an end
 */
export function whenExpired(
  { clock }: Pick<Services, 'clock'>,
  viewer: Viewer | null,
  end: () => void
): NodeJS.Timeout | undefined {
  if (!viewer?.expiresAt) return undefined
  return setTimeout(end, Math.min(viewer.expiresAt.getTime() - clock.now().getTime(), MAX_TIMER_MS))
}
