import { describe, expect, it } from 'vitest'
import { addDuration, durationMs, parseDuration } from '../../src/duration.js'
import { thrownBy } from './failures.js'

describe('a duration', () => {
  it.each(['', ' ', '30', '30 days', 'P', 'PT', 'P1', 'P1.5D', 'P-', '2026-11-01', ' P1D', 'P1D ', 'P-1D'])(
    'is refused when it is "%s"',
    (text) => {
      expect(thrownBy(() => parseDuration(text))).toBeInstanceOf(RangeError)
    }
  )

  it.each(['PT0S', 'P0D', 'P0Y', '-P1D', '-PT1S', 'PT0.0009S', 'PT0.000999999S'])(
    'is refused when it is %s, less than a millisecond',
    (text) => {
      const error = thrownBy(() => parseDuration(text))
      expect(error).toBeInstanceOf(RangeError)
      expect(error.message).toBe('a duration must be at least one millisecond')
    }
  )

  it.each(['P10Y1D', 'P11Y', 'P121M', 'P3653DT0.001S', 'P522W', 'PT87673H', 'P100000Y'])(
    'is refused when it is %s, more than ten years',
    (text) => {
      const error = thrownBy(() => parseDuration(text))
      expect(error).toBeInstanceOf(RangeError)
      expect(error.message).toBe('a duration must not be longer than ten years')
    }
  )

  it.each(['P1000000Y', `P${'9'.repeat(15)}D`, `PT${'9'.repeat(400)}S`])(
    'is refused when it is %s, beyond every calendar',
    (text) => {
      expect(thrownBy(() => parseDuration(text))).toBeInstanceOf(RangeError)
    }
  )

  it.each(['PT0.001S', 'P10Y', 'P120M', 'P3653D'])('is taken at the limit, when it is %s', (text) => {
    expect(parseDuration(text)).toBe(text)
  })

  it.each(['P30D', 'PT15S', 'PT24H', 'P1Y2M3W4DT5H6M7.008S', 'P1M'])('is taken as it is when it is %s', (text) => {
    expect(parseDuration(text)).toBe(text)
  })
})

describe('a duration in milliseconds', () => {
  it.each(['P1M', 'P1Y', 'P1Y1D'])('is refused for %s, whose length depends on the calendar', (duration) => {
    expect(thrownBy(() => durationMs(duration))).toBeInstanceOf(RangeError)
  })

  it.each([
    ['PT0.001S', 1],
    ['PT0.0019S', 1],
    ['PT1.999999999S', 1999],
    // Nearer to the next millisecond than a floating-point number tells.
    ['PT9218H2916M999999.999999998S', 34_359_759_999],
    ['PT0.25S', 250],
    ['PT15S', 15_000],
    ['PT5M', 300_000],
    ['PT24H', 86_400_000],
    ['P1D', 86_400_000],
    ['P7D', 604_800_000],
    ['P1W', 604_800_000],
    ['P2W1DT1H1M1.001S', 1_299_661_001]
  ])('is a whole number: %s is %d', (duration, ms) => {
    expect(durationMs(duration)).toBe(ms)
  })
})

describe('an instant one duration later', () => {
  it.each([
    ['2026-03-28T23:30:00.123Z', 'PT1H', '2026-03-29T00:30:00.123Z'],
    // Days have 24 hours, also where a clock on the wall is put forward.
    ['2026-03-28T12:00:00.000Z', 'P1D', '2026-03-29T12:00:00.000Z'],
    ['2026-02-01T00:00:00.000Z', 'P30D', '2026-03-03T00:00:00.000Z'],
    ['2026-02-01T00:00:00.000Z', 'P1W', '2026-02-08T00:00:00.000Z'],
    // A month that is too short gives its last day.
    ['2026-01-31T10:00:00.000Z', 'P1M', '2026-02-28T10:00:00.000Z'],
    ['2028-02-29T00:00:00.000Z', 'P1Y', '2029-02-28T00:00:00.000Z']
  ])('is for %s and %s: %s', (start, duration, end) => {
    expect(addDuration(new Date(start), duration).toISOString()).toBe(end)
  })
})
