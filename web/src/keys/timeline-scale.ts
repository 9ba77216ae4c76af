import type { KeyFieldsFragment } from '../../../documents/generated.js'

/** An axis of time, in epoch milliseconds, and where on it an instant lies. */
export interface Scale {
  from: number
  to: number
  now: number
  percent(at: number): string
  span(from: number, to: number): { left: string; width: string }
}

const TICKS = 5
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** From the first key on until a little after the last thing that is planned. */
export function scaleOf(keys: readonly KeyFieldsFragment[], now: number): Scale {
  const instants = keys.flatMap((key) => {
    const { begin, end, planned } = lifeOf(key, now)
    return [begin, end, planned ?? now]
  })
  const from = Math.min(now, ...instants)
  const last = Math.max(now, from + HOUR_MS / 60, ...instants)
  const to = last + (last - from) * 0.03
  const share = (at: number) => ((at - from) / (to - from)) * 100
  return {
    from,
    to,
    now,
    percent: (at) => `${share(at)}%`,
    span: (begin, end) => ({ left: `${share(begin)}%`, width: `${Math.max(0, share(end) - share(begin))}%` })
  }
}

export function ticksOf({ from, to }: Scale): number[] {
  return Array.from({ length: TICKS }, (_, index) => from + ((to - from) * index) / TICKS)
}

export function labelOf(at: number, { from, to }: Scale): string {
  const time = { hour: '2-digit', minute: '2-digit' } as const
  const style =
    to - from < HOUR_MS / 2
      ? { ...time, second: '2-digit' as const }
      : to - from < 3 * DAY_MS
        ? time
        : { day: 'numeric' as const, month: 'short' as const }
  return new Intl.DateTimeFormat(undefined, style).format(at)
}

/** When a version began, stopped to encrypt, stopped to be there, and what is to come; null where nothing is. */
export function lifeOf(key: KeyFieldsFragment, now: number) {
  const { createdAt, activatedAt, deactivatedAt, destroyedAt, rotatesAt, destroysAt, state } = key
  const end = timeOf(destroyedAt) ?? now
  const planned = state === 'ACTIVE' ? rotatesAt : destroyedAt ? null : destroysAt
  return {
    begin: timeOf(activatedAt ?? createdAt) ?? now,
    used: timeOf(deactivatedAt) ?? end,
    end,
    planned: timeOf(planned)
  }
}

function timeOf(at: string | null): number | null {
  return at === null ? null : new Date(at).getTime()
}
