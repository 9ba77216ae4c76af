import { Temporal } from 'temporal-polyfill'

/** Text of an ISO 8601 duration, checked: "P30D", "PT15M". */
export type Duration = string

/** @throws RangeError when the text is not an ISO 8601 duration longer than zero */
export function parseDuration(text: string): Duration {
  const duration = Temporal.Duration.from(text)
  if (duration.sign !== 1) throw new RangeError('a duration must be longer than zero')
  return duration.toString()
}

/** @throws RangeError for durations with months or years, whose length depends on the calendar */
export function durationMs(duration: Duration): number {
  const parsed = Temporal.Duration.from(duration)
  // A week has seven days everywhere; a month does not have the same length everywhere.
  return parsed.with({ weeks: 0, days: parsed.weeks * 7 + parsed.days }).total('milliseconds')
}

/** The instant that lies one duration later, by the UTC calendar. */
export function addDuration(instant: Date, duration: Duration): Date {
  const start = Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO('UTC')
  return new Date(start.add(duration).epochMilliseconds)
}
