import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'

/** Longest delay that a timer takes: 24.8 days. */
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * Ends what stays open under a token when the token runs out.
 *
 * @returns what is to be called by whoever ends first: nothing is ended then
 */
export function whenExpired({ clock }: Pick<Services, 'clock'>, viewer: Viewer | null, end: () => void): () => void {
  const expiresAt = viewer?.expiresAt?.getTime()
  if (expiresAt === undefined) return () => {}
  let timer: NodeJS.Timeout
  const wait = () => {
    const leftMs = expiresAt - clock.now().getTime()
    timer = leftMs > MAX_TIMER_MS ? setTimeout(wait, MAX_TIMER_MS) : setTimeout(end, leftMs)
  }
  wait()
  return () => clearTimeout(timer)
}
