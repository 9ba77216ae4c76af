/** So many at once, and as many again in every period: a bucket of tokens that fills up evenly. */
export interface Allowance {
  tokens: number
  periodMs: number
}

/**
 * Takes a token, by the generic cell rate algorithm: a token bucket of which the state is one instant, the one at
 * which it is full again.
 *
 * @param fullAt epoch milliseconds of what is stored; 0 for a bucket that nobody has used
 * @returns what is to be stored, and 0, or what is stored as it was, and how long to wait
 */
export function takeToken(
  fullAt: number,
  now: number,
  { tokens, periodMs }: Allowance
): { fullAt: number; waitMs: number } {
  // Ahead of a clock that was put back, a bucket is no emptier than empty.
  const from = Math.min(Math.max(fullAt, now), now + periodMs)
  const next = from + periodMs / tokens
  const waitMs = Math.ceil(next - now - periodMs)
  return waitMs > 0 ? { fullAt: from, waitMs } : { fullAt: next, waitMs: 0 }
}
