import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../src/clock.js'
import { ActivityLimit, parseActivity } from '../../../src/delivery/activity.js'
import { ReadMarks } from '../../../src/delivery/read-marks.js'
import { QuietSignals } from '../../support/quiet-signals.js'

const bob = { id: 'bob', name: 'Bob', scopes: new Set<string>(), expiresAt: null }

let limit: ActivityLimit
let marks: ReadMarks
let told: (number | null)[]
/** To the reader's own windows, which conversation it is. */
let toldReader: string[]

beforeEach(() => {
  vi.useFakeTimers()
  told = []
  toldReader = []
  const signals = new QuietSignals()
  vi.spyOn(signals, 'publish').mockImplementation((topic?: string, payload = '') => {
    if (topic?.startsWith('marks:')) return void toldReader.push(`${topic} ${payload}`)
    const activity = parseActivity(payload)
    told.push(activity?.kind === 'READ' ? activity.sequence : null)
  })
  limit = new ActivityLimit(systemClock)
  marks = new ReadMarks(signals, limit)
})
afterEach(() => {
  vi.useRealTimers()
})

describe('how far somebody has read', () => {
  it('is told ten times in five seconds at most, and then the latest', async () => {
    for (let sequence = 1; sequence <= 100; sequence++) await marks.tell(bob, 'conversation', sequence)
    expect(told).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    await vi.advanceTimersByTimeAsync(5_000)
    expect(told.slice(10)).toEqual([100])
    expect(toldReader).toEqual(Array(11).fill('marks:bob conversation'))
    await vi.advanceTimersByTimeAsync(60_000)
    expect(told).toHaveLength(11)
  })

  it('is told as the furthest, whichever of them comes last', async () => {
    await Promise.all([...Array(10).fill(1), 40, 30].map((sequence) => marks.tell(bob, 'conversation', sequence)))
    await vi.advanceTimersByTimeAsync(5_000)
    expect(told.at(-1)).toBe(40)
  })

  it('waits on where typing has taken what there was, and is told in the end', async () => {
    vi.spyOn(limit, 'waitMs').mockResolvedValueOnce(100).mockResolvedValueOnce(100)
    await marks.tell(bob, 'conversation', 7)
    await vi.advanceTimersByTimeAsync(199)
    expect(told).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(told).toEqual([7])
  })

  it('of another, and elsewhere, is told at once', async () => {
    for (let count = 0; count < 11; count++) await marks.tell(bob, 'conversation', 1)
    await marks.tell(bob, 'another', 2)
    await marks.tell({ ...bob, id: 'carol' }, 'conversation', 3)
    expect(told.slice(-2)).toEqual([2, 3])
    expect(toldReader.slice(-2)).toEqual(['marks:bob another', 'marks:carol conversation'])
  })
})
