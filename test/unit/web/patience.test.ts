import { describe, expect, it } from 'vitest'
import { Patience } from '../../../web/src/chat/patience.js'

describe('patience', () => {
  it('says yes to the first look, then to every second, fourth and so on, up to a bound', () => {
    expect(yesAt(new Patience(8), 32)).toEqual([1, 3, 7, 15, 23, 31])
  })

  it('begins anew when something has changed', () => {
    const patience = new Patience(100)
    yesAt(patience, 20)
    patience.reset()
    expect(yesAt(patience, 8)).toEqual([1, 3, 7])
  })
})

/** @returns at which of so many looks it was time */
function yesAt(patience: Patience, looks: number): number[] {
  return Array.from({ length: looks }, (_, index) => index + 1).filter(() => patience.isTime())
}
