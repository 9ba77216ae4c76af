import { describe, expect, it } from 'vitest'
import type { KeyFieldsFragment } from '../../../documents/generated.js'
import { labelOf, lifeOf, scaleOf, ticksOf } from '../../../web/src/keys/timeline-scale.js'

const DAY_MS = 86_400_000
const NOW = Date.UTC(2026, 5, 1)
const day = (days: number) => new Date(NOW + days * DAY_MS).toISOString()

function key(times: Partial<KeyFieldsFragment>): KeyFieldsFragment {
  const none = { activatedAt: null, deactivatedAt: null, destroyedAt: null, rotatesAt: null, destroysAt: null }
  return { state: 'ACTIVE', createdAt: day(0), ...none, ...times } as KeyFieldsFragment
}

const destroyed = key({ state: 'DESTROYED', activatedAt: day(-100), deactivatedAt: day(-50), destroyedAt: day(-40) })
const deactivated = key({ state: 'DEACTIVATED', activatedAt: day(-50), deactivatedAt: day(-10), destroysAt: day(20) })
const active = key({ activatedAt: day(-10), rotatesAt: day(30) })

describe('the life of a version', () => {
  it('ends where it was destroyed, and has nothing to come then', () => {
    const scheduled = { ...destroyed, destroysAt: day(7) }
    expect(lifeOf(scheduled, NOW)).toEqual({
      begin: Date.parse(day(-100)),
      used: Date.parse(day(-50)),
      end: Date.parse(day(-40)),
      planned: null
    })
  })

  it('goes on until now, with its rotation to come while it is active, and then its destruction', () => {
    expect(lifeOf(active, NOW)).toMatchObject({ used: NOW, end: NOW, planned: Date.parse(day(30)) })
    expect(lifeOf(deactivated, NOW)).toMatchObject({
      used: Date.parse(day(-10)),
      end: NOW,
      planned: Date.parse(day(20))
    })
  })

  it('begins when it was made where it was never active', () => {
    expect(lifeOf(key({ state: 'COMPROMISED', createdAt: day(-3) }), NOW).begin).toBe(Date.parse(day(-3)))
  })
})

describe('the scale of the timeline', () => {
  const scale = scaleOf([destroyed, deactivated, active], NOW)
  const share = (text: string) => Number(text.replace('%', ''))

  it('goes from the first key to a little after the last thing that is planned', () => {
    expect(scale.from).toBe(Date.parse(day(-100)))
    expect(scale.to).toBe(Date.parse(day(30)) + 0.03 * 130 * DAY_MS)
  })

  it('draws twice the time twice as wide, and nothing for a time that goes backwards', () => {
    const { width: long } = scale.span(Date.parse(day(-50)), Date.parse(day(-10)))
    const { width: short } = scale.span(Date.parse(day(-40)), Date.parse(day(-20)))
    expect(share(long)).toBeCloseTo(2 * share(short))
    expect(scale.span(NOW, NOW - DAY_MS).width).toBe('0%')
  })

  it('has one instant in one place, whatever it is asked for', () => {
    const { left, width } = scale.span(Date.parse(day(-50)), NOW)
    expect(share(left)).toBeCloseTo(share(scale.percent(Date.parse(day(-50)))))
    expect(share(left) + share(width)).toBeCloseTo(share(scale.percent(NOW)))
  })

  it('is of a minute at least, for a conversation that was made just now', () => {
    const first = scaleOf([key({ activatedAt: day(0) })], NOW)
    expect(first.to - first.from).toBeGreaterThanOrEqual(60_000)
  })

  it('has marks in even steps from its beginning, which say days where it is of days', () => {
    const ticks = ticksOf(scale)
    const steps = ticks.slice(1).map((at, index) => at - (ticks[index] ?? 0))
    expect(ticks[0]).toBe(scale.from)
    expect(Math.max(...steps) - Math.min(...steps)).toBeLessThan(1)
    expect(labelOf(NOW, scale)).toContain('1')
    expect(labelOf(NOW, scale)).not.toContain(':')
    expect(labelOf(NOW, { ...scale, from: NOW, to: NOW + DAY_MS })).toContain(':')
  })
})
