/** What a policy does in the year to come, as far as it is known today: rotations by time, and what they lead to. */
export interface Preview {
  /** Epoch milliseconds, ascending. */
  rotations: number[]
  destructions: number[]
}

export const YEAR_MS = 365 * 86_400_000
const MOST = 400

/** Milliseconds of a duration of days and less; months and years are taken as 30 and 365 days: a preview, no promise. */
export function roughMs(duration: string): number | null {
  const match = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(duration)
  if (!match) return null
  const [years, months, weeks, days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0))
  const ofDays = (years ?? 0) * 365 + (months ?? 0) * 30 + (weeks ?? 0) * 7 + (days ?? 0)
  const ms = ofDays * 86_400_000 + (hours ?? 0) * 3_600_000 + (minutes ?? 0) * 60_000 + (seconds ?? 0) * 1000
  return ms > 0 ? ms : null
}

export function previewOf(
  policy: { rotateAfter: string | null; destroyAfter: string | null },
  activatedAt: number,
  now: number
): Preview {
  const rotateMs = policy.rotateAfter === null ? null : roughMs(policy.rotateAfter)
  const destroyMs = policy.destroyAfter === null ? null : roughMs(policy.destroyAfter)
  const rotations: number[] = []
  if (rotateMs !== null) {
    let at = Math.max(now, activatedAt + rotateMs)
    while (at <= now + YEAR_MS && rotations.length < MOST) {
      rotations.push(at)
      at += rotateMs
    }
  }
  const destructions =
    destroyMs === null ? [] : rotations.map((at) => at + destroyMs).filter((at) => at <= now + YEAR_MS)
  return { rotations, destructions }
}

/** The first instants of the months of the year to come, in the time of whoever looks. */
export function monthsFrom(now: number): number[] {
  const today = new Date(now)
  return Array.from({ length: 12 }, (_, index) =>
    new Date(today.getFullYear(), today.getMonth() + index + 1, 1).getTime()
  ).filter((at) => at < now + YEAR_MS)
}
