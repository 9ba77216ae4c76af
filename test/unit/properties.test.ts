import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { check, checkAsync } from '../support/properties.js'

/** What checks the properties of the other tests can fail, and fails when it could not check. */

const LIMITS = { enoughMs: 50, mostMs: 100, valueMs: 10_000 }

/** @param ms for each value */
function slowly(ms: number) {
  let checked = 0
  const property = fc.asyncProperty(fc.nat(), async () => {
    await delay(ms)
    checked++
  })
  return { property, checked: () => checked }
}

describe('a property', () => {
  it('that does not hold fails', async () => {
    expect(() => check(fc.property(fc.nat(), (number) => number < 100))).toThrow('Counterexample: [100]')
    const never = fc.asyncProperty(fc.nat(), async () => false)
    await expect(checkAsync(never)).rejects.toThrow('Property failed after 1 tests')
  })

  it('that hangs at some value fails, however many others it has held for', async () => {
    let checked = 0
    const held = 200
    const hanging = fc.asyncProperty(fc.nat(), async () => {
      if (++checked > held) await new Promise<never>(() => {})
    })
    const failure = checkAsync(hanging, 500, { enoughMs: 20_000, mostMs: 30_000, valueMs: 50 })
    await expect(failure).rejects.toHaveProperty('cause.message', expect.stringContaining('exceeded limit of 50'))
    expect(checked).toBeGreaterThan(held)
  })

  it('that is so slow that few values were checked fails', async () => {
    const { property, checked } = slowly(20)
    await expect(checkAsync(property, 1000, LIMITS)).rejects.toThrow('of 1000 values were checked within 100 ms')
    expect(checked()).toBeLessThan(200)
    const busy = fc.property(fc.nat(), () => {
      const end = performance.now() + 20
      while (performance.now() < end);
    })
    expect(() => check(busy, 1000, LIMITS)).toThrow('of 1000 values were checked within 100 ms')
  })

  it('that is slow holds once a fifth of the values was checked, and no sooner', async () => {
    const { property, checked } = slowly(10)
    await checkAsync(property, 50, { ...LIMITS, mostMs: 30_000 })
    expect(checked()).toBeGreaterThanOrEqual(10)
    expect(checked()).toBeLessThan(50)
  })
})
