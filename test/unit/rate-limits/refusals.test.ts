import { beforeEach, describe, expect, it } from 'vitest'
import { RateLimited } from '../../../src/errors.js'
import { Refusals } from '../../../src/rate-limits/refusals.js'
import { TestClock } from '../../support/test-clock.js'

const MALLORY = { viewer: { id: 'mallory' }, address: '203.0.113.7' }
const ALICE = { ...MALLORY, viewer: { id: 'alice' } }
const NOBODY = { viewer: null, address: '203.0.113.7' }

let clock: TestClock
let refusals: Refusals

beforeEach(() => {
  clock = new TestClock()
  refusals = new Refusals({ tokens: 3, periodMs: 60_000 }, clock)
})

function note(sender: typeof NOBODY | typeof MALLORY, times: number): void {
  for (let count = 0; count < times; count++) refusals.note(sender)
}

describe('a sender whose documents are refused', () => {
  it('is refused after as many as he may have, and told when he may try again', () => {
    note(MALLORY, 2)
    refusals.requireFew(MALLORY)
    note(MALLORY, 1)
    expect(() => refusals.requireFew(MALLORY)).toThrow(expect.objectContaining({ retryAfterMs: 20_000 }))
  })

  it('is heard again at that moment, and not before', () => {
    note(MALLORY, 3)
    clock.advance(19_999)
    expect(() => refusals.requireFew(MALLORY)).toThrow(RateLimited)
    clock.advance(1)
    refusals.requireFew(MALLORY)
    note(MALLORY, 1)
    expect(() => refusals.requireFew(MALLORY)).toThrow(RateLimited)
  })

  it('waits no longer for what was refused without a look', () => {
    note(MALLORY, 300)
    expect(() => refusals.requireFew(MALLORY)).toThrow(expect.objectContaining({ retryAfterMs: 20_000 }))
  })

  it('is no other user, nor whoever has no token, behind the same address', () => {
    note(MALLORY, 3)
    for (const other of [ALICE, NOBODY]) refusals.requireFew(other)
  })

  it('is the user, also where the id looks like an address of somebody', () => {
    const odd = { ...MALLORY, viewer: { id: 'REFUSALS:address:203.0.113.7' } }
    note(odd, 3)
    expect(() => refusals.requireFew(odd)).toThrow(RateLimited)
    refusals.requireFew(NOBODY)
  })

  it('is an address where there is no token, with twenty times as many', () => {
    note(NOBODY, 59)
    refusals.requireFew(NOBODY)
    note(NOBODY, 1)
    expect(() => refusals.requireFew(NOBODY)).toThrow(RateLimited)
    refusals.requireFew({ viewer: null, address: '203.0.113.8' })
    refusals.requireFew(ALICE)
  })

  it('may have any number where there are no limits', () => {
    refusals = new Refusals(null, clock)
    note(MALLORY, 300)
    refusals.requireFew(MALLORY)
  })
})
