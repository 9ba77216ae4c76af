const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
const date = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' })

const DAY_MS = 86_400_000

/** The time of today's, the day of anything before. @param iso RFC 3339 */
export function shortTime(iso: string): string {
  const at = new Date(iso)
  return at.toDateString() === new Date().toDateString() ? clock.format(at) : day.format(at)
}

export function clockTime(iso: string): string {
  return clock.format(new Date(iso))
}

export function fullTime(iso: string): string {
  return full.format(new Date(iso))
}

export function onDay(iso: string | number): string {
  return date.format(new Date(iso))
}

export function dayOf(iso: string): string {
  return new Date(iso).toDateString()
}

/** How far away, in the largest unit that fits: "in 3 days". */
export function fromNow(iso: string, now = Date.now()): string {
  const ms = new Date(iso).getTime() - now
  const words = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' })
  if (Math.abs(ms) >= DAY_MS) return words.format(Math.round(ms / DAY_MS), 'day')
  if (Math.abs(ms) >= 3_600_000) return words.format(Math.round(ms / 3_600_000), 'hour')
  return words.format(Math.round(ms / 60_000), 'minute')
}
