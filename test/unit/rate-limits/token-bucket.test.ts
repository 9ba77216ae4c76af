import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { takeToken } from '../../../src/rate-limits/token-bucket.js'

const TEN_A_MINUTE = { tokens: 10, periodMs: 60_000 }

/** Of tokens taken at these instants, in epoch milliseconds, what each had to wait for. */
function waits(instants: number[], allowance = TEN_A_MINUTE): number[] {
  let fullAt = 0
  return instants.map((now) => {
    const taken = takeToken(fullAt, now, allowance)
    fullAt = taken.fullAt
    return taken.waitMs
  })
}

describe('a bucket of ten tokens a minute', () => {
  it('refuses the eleventh at once, and says when there is one', () => {
    expect(waits(Array.from({ length: 12 }, () => 1_000_000)).slice(9)).toEqual([0, 6_000, 6_000])
  })

  it('has one again after a tenth of the minute, and not before', () => {
    const emptied = Array.from({ length: 10 }, () => 1_000_000)
    expect(waits([...emptied, 1_005_999, 1_006_000, 1_006_000]).slice(10)).toEqual([1, 0, 6_000])
  })

  it('is no emptier than empty for a clock that was put back an hour', () => {
    expect(waits([5_000_000, 1_400_000]).at(-1)).toBe(6_000)
  })

  it('never lets more through in any minute than it holds and what comes back meanwhile', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 200 }), (gaps) => {
        let now = 1_000_000
        const instants = gaps.map((gap) => (now += gap))
        const taken = instants.filter((_, index) => waits(instants)[index] === 0)
        for (const from of taken) {
          const within = taken.filter((at) => at >= from && at < from + TEN_A_MINUTE.periodMs).length
          expect(within).toBeLessThanOrEqual(2 * TEN_A_MINUTE.tokens)
        }
      }),
      { numRuns: 50 }
    )
  })
})
