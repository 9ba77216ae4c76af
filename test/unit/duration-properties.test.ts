import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addDuration, durationMs, parseDuration } from '../../src/duration.js'
import { anyText, check, cpuMs, textDamages } from '../support/properties.js'

const part = (unit: string, max: number) =>
  fc.option(fc.nat(max), { nil: null }).map((n) => (n === null ? '' : n + unit))
const written = fc
  .tuple(
    fc.tuple(part('Y', 12), part('M', 20), part('W', 60), part('D', 4000)),
    fc.tuple(
      part('H', 100_000),
      part('M', 10_000),
      fc.oneof(
        part('S', 1e9),
        fc.double({ min: 0, max: 1e6 }).map((s) => `${s}S`)
      )
    )
  )
  .map(([date, time]) => `P${date.join('')}${time.join('') && `T${time.join('')}`}`)
const nearly = written.chain((text) => textDamages.map((spoil) => spoil(text)))
const cased = written.map((text) => text.toLowerCase())

describe('a duration', () => {
  it('is refused by a RangeError, or is in a spelling that stays what it is', () => {
    check(
      fc.property(fc.oneof(written, nearly, cased, anyText()), (text) => {
        const duration = parsedOrRefused(text)
        if (duration === null) return
        expect(parseDuration(duration)).toBe(duration)
        // What its text says, a date says too: later by a millisecond or more, and by ten years at most.
        const later = addDuration(new Date('2000-01-01'), duration).getTime() - Date.parse('2000-01-01')
        expect(later).toBeGreaterThanOrEqual(1)
        expect(later).toBeLessThanOrEqual(3653 * 86_400_000)
      }),
      1000
    )
  })

  it('is as long in milliseconds as it is on the calendar, unless it has months or years', () => {
    check(
      fc.property(written, (text) => {
        const duration = parsedOrRefused(text)
        if (duration === null) return
        const [date = ''] = duration.split('T')
        if (/[YM]/.test(date)) {
          expect(() => durationMs(duration)).toThrow(RangeError)
          return
        }
        expect(durationMs(duration)).toBe(addDuration(new Date(0), duration).getTime())
      }),
      1000
    )
  })

  it('is refused in time that grows with its length and not faster', () => {
    for (const [head, repeated, tail] of [
      ['P', '1', 'D'],
      ['PT0.', '0', 'S'],
      ['', 'P', ''],
      ['P', '1D', ''],
      ['', ' ', 'P1D']
    ] as const) {
      expect(cpuMs(() => parsedOrRefused(head + repeated.repeat(1_000_000) + tail))).toBeLessThan(5000)
    }
  })
})

function parsedOrRefused(text: string): string | null {
  try {
    return parseDuration(text)
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError)
    return null
  }
}
