/** Something that happens several times in the year to come. */
export interface Occurrences {
  count: number
  /** Epoch milliseconds, ascending: the first of them, each instant once. */
  drawn: number[]
}

/** What a policy does in the year to come, as far as it is known today: rotations by time, and what they lead to. */
export interface Preview {
  rotations: Occurrences
  destructions: Occurrences
}

export const YEAR_MS = 365 * 86_400_000
const MOST_DRAWN = 400

/** Milliseconds of a duration of days and less; months and years are taken as 30 and 365 days: a preview, no promise. */
export function roughMs(duration: string): number | null {
  const match = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(duration)
  if (!match) return null
  const [years, months, weeks, days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0))
  const ofDays = (years ?? 0) * 365 + (months ?? 0) * 30 + (weeks ?? 0) * 7 + (days ?? 0)
  const ms = ofDays * 86_400_000 + (hours ?? 0) * 3_600_000 + (minutes ?? 0) * 60_000 + (seconds ?? 0) * 1000
  return ms > 0 ? ms : null
}

/** A version that is no longer in use and has not been destroyed. Times in epoch milliseconds. */
export interface Deactivated {
  deactivatedAt: number
  /** As it is stored: null where no policy destroys it, or where somebody has cancelled that. */
  destroysAt: number | null
  messageCount: number
}

/**
 * Which of the versions that there are expire in the year to come.
 *
 * @param destroyAfter what is about to be set; undefined where it stays, and with it the time that each version has
 * @returns with the time of each, never before now; ascending
 */
export function expiring(
  versions: readonly Deactivated[],
  destroyAfter: string | null | undefined,
  now: number
): { at: number; messageCount: number }[] {
  const afterMs = destroyAfter ? roughMs(destroyAfter) : null
  const endOf = ({ deactivatedAt, destroysAt }: Deactivated) => {
    if (destroyAfter === undefined) return destroysAt
    return afterMs === null ? null : deactivatedAt + afterMs
  }
  return versions
    .flatMap((version) => {
      const end = endOf(version)
      return end === null ? [] : [{ at: Math.max(now, end), messageCount: version.messageCount }]
    })
    .filter(({ at }) => at <= now + YEAR_MS)
    .sort((a, b) => a.at - b.at)
}

/** @param expiries of versions that there are already, see {@link expiring} */
export function previewOf(
  policy: { rotateAfter: string | null; destroyAfter: string | null },
  activatedAt: number,
  expiries: readonly number[],
  now: number
): Preview {
  const rotateMs = policy.rotateAfter === null ? null : roughMs(policy.rotateAfter)
  const destroyMs = policy.destroyAfter === null ? null : roughMs(policy.destroyAfter)
  const end = now + YEAR_MS
  const none = { count: 0, drawn: [] }
  const rotations = rotateMs === null ? none : every(rotateMs, Math.max(now, activatedAt + rotateMs), end)
  const coming =
    rotateMs === null || destroyMs === null
      ? none
      : every(rotateMs, Math.max(now, activatedAt + rotateMs) + destroyMs, end)
  const drawn = [...new Set([...expiries, ...coming.drawn])].sort((a, b) => a - b).slice(0, MOST_DRAWN)
  return { rotations, destructions: { count: expiries.length + coming.count, drawn } }
}

function every(stepMs: number, first: number, end: number): Occurrences {
  const count = first > end ? 0 : Math.floor((end - first) / stepMs) + 1
  return { count, drawn: Array.from({ length: Math.min(count, MOST_DRAWN) }, (_, index) => first + index * stepMs) }
}

/** The first instants of the months of the year to come, in the time of whoever looks. */
export function monthsFrom(now: number): number[] {
  const today = new Date(now)
  return Array.from({ length: 12 }, (_, index) =>
    new Date(today.getFullYear(), today.getMonth() + index + 1, 1).getTime()
  ).filter((at) => at < now + YEAR_MS)
}
