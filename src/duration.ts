import { Temporal } from 'temporal-polyfill'

/** Text of an ISO 8601 duration, checked: "P30D", "PT15M". */
export type Duration = string

/** Longer than any cryptoperiod is, and short of what a Date can hold. */
const LONGEST_DAYS = 3653
/** What a duration with months or years is measured from; any other day would do. */
const MEASURED_FROM = Temporal.PlainDate.from('2000-01-01')

/** @throws RangeError when the text is not an ISO 8601 duration of one millisecond to ten years */
export function parseDuration(text: string): Duration {
  const duration = Temporal.Duration.from(text)
  const total = (unit: 'milliseconds' | 'days') => duration.total({ unit, relativeTo: MEASURED_FROM })
  if (total('milliseconds') < 1) throw new RangeError('a duration must be at least one millisecond')
  if (total('days') > LONGEST_DAYS) throw new RangeError('a duration must not be longer than ten years')
  return duration.toString()
}

/**
 * Whole milliseconds.
 *
 * @throws RangeError for durations with months or years, whose length depends on the calendar
 */
export function durationMs(duration: Duration): number {
  const parsed = Temporal.Duration.from(duration)
  // A week has seven days everywhere; a month does not have the same length everywhere.
  const days = parsed.with({ weeks: 0, days: parsed.weeks * 7 + parsed.days })
  // `total` is a floating-point number, and rounds up what lies nanoseconds below the next millisecond.
  return days.round({ largestUnit: 'milliseconds', smallestUnit: 'milliseconds', roundingMode: 'floor' }).milliseconds
}

/** The instant that lies one duration later, by the UTC calendar. */
export function addDuration(instant: Date, duration: Duration): Date {
  const start = Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO('UTC')
  return new Date(start.add(duration).epochMilliseconds)
}
