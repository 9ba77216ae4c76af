import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { whenExpired } from '../../../src/graphql/when-expired.js'

const DAY_MS = 24 * 60 * 60 * 1000
const clock = { now: () => new Date() }
const end = vi.fn()

beforeEach(() => {
  vi.useFakeTimers()
  end.mockClear()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('what is open under a token', () => {
  it('is not ended by one that has no end, or that somebody has stopped', () => {
    whenExpired({ clock }, viewer(null), end)()
    const stop = whenExpired({ clock }, viewer(60 * DAY_MS), end)
    vi.advanceTimersByTime(30 * DAY_MS)
    stop()
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(60 * DAY_MS)
    expect(end).not.toHaveBeenCalled()
  })

  it.each([1, 24, 25, 90, 400])('is ended after %d days where it is valid for so long, and no earlier', (days) => {
    whenExpired({ clock }, viewer(days * DAY_MS), end)
    vi.advanceTimersByTime(days * DAY_MS - 1)
    expect(end).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(end).toHaveBeenCalledOnce()
    expect(vi.getTimerCount()).toBe(0)
  })
})

function viewer(lifeMs: number | null) {
  const expiresAt = lifeMs === null ? null : new Date(Date.now() + lifeMs)
  return { id: 'bob', name: 'bob', scopes: new Set<string>(), expiresAt }
}
