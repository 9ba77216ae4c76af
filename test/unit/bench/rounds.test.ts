import { describe, expect, it } from 'vitest'
import type { Case } from '../../../bench/case.js'
import { measureRounds, median } from '../../../bench/rounds.js'

/** Rounds of two sides whose figures are known, and which take so many seconds each. */
async function measure(
  measured: number[],
  beside: number[],
  comparison: Pick<Case, 'beside' | 'rounds'> = { beside: 'other' },
  secondsEach = 1
) {
  /** In the order in which they were. */
  const asked: string[] = []
  const told: number[] = []
  const side = (name: string, [...figures]: number[]) => {
    return async () => {
      asked.push(name)
      return figures.shift() ?? Number.NaN
    }
  }
  const sides = { measured: side('measured', measured), beside: side('beside', beside) }
  const onRound = (round: number) => void told.push(round)
  const figures = await measureRounds(comparison, sides, onRound, () => asked.length * secondsEach * 1000)
  return { figures, asked, told }
}

const ones = Array.from({ length: 20 }, () => 1)
const threeRounds = { beside: 'other', rounds: { atMost: 3, warmUp: false } }

describe('rounds of a comparison', () => {
  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('are refused with %d for a figure', async (figure) => {
    await expect(measure([1, figure, 1], [1, 1, 1], threeRounds)).rejects.toThrow(
      `a round of measured came to ${figure}`
    )
    await expect(measure([1, 1, 1], [1, figure, 1], threeRounds)).rejects.toThrow(`a round of beside came to ${figure}`)
    await expect(measure([figure, 1, 1, 1], [1, 1, 1, 1])).rejects.toThrow(`came to ${figure}`)
  })

  it('give the median of the ratios of each round, measured over beside, and not the ratio of the medians', async () => {
    const { figures } = await measure([10, 40, 90], [10, 10, 100], threeRounds)
    expect(figures).toEqual({
      measured: 40,
      beside: 10,
      ratio: { median: 1, least: 0.9, most: 4 },
      rounds: 3
    })
  })

  it('begin with either side by turns', async () => {
    const { asked } = await measure([1, 1, 1], [1, 1, 1], threeRounds)
    expect(asked).toEqual(['measured', 'beside', 'beside', 'measured', 'measured', 'beside'])
  })

  it('begin with six seconds that do not count, unless the case is without', async () => {
    const rounds = { atMost: 1, warmUp: true }
    const { figures, told } = await measure([1000, 1000, 1000, 3], [1, 1, 1, 1], { beside: 'other', rounds })
    expect(figures).toMatchObject({ measured: 3, rounds: 1, ratio: { most: 3 } })
    expect(told).toEqual([1])
  })

  it('begin with one that does not count, however long it takes', async () => {
    const rounds = { atMost: 1, warmUp: true }
    const { figures } = await measure([1000, 3], [1, 1], { beside: 'other', rounds }, 60)
    expect(figures).toMatchObject({ measured: 3, rounds: 1 })
  })

  it('are twelve at most', async () => {
    const { figures } = await measure(ones, ones, { beside: null }, 0.75)
    expect(figures.rounds).toBe(12)
  })

  it('end before one that would take more than sixteen seconds to the end', async () => {
    const { figures, told } = await measure(ones, ones)
    // Two seconds each, the three that do not count included.
    expect(figures.rounds).toBe(5)
    expect(told).toEqual([1, 2, 3, 4, 5])
  })

  it('are one at least, however long it takes', async () => {
    expect((await measure(ones, ones, { beside: 'other' }, 60)).figures.rounds).toBe(1)
  })

  it('with nothing beside them have their figure for a ratio, and never ask the other side', async () => {
    const { figures, asked } = await measure([30, 10, 20], [], { ...threeRounds, beside: null })
    expect(figures).toEqual({ measured: 20, beside: null, ratio: { median: 20, least: 10, most: 30 }, rounds: 3 })
    expect(asked).toEqual(['measured', 'measured', 'measured'])
  })
})

describe('a median', () => {
  it('of nothing is no number', () => {
    expect(median([])).toBeNaN()
  })

  it.each([
    [[3], 3],
    [[3, 1], 2],
    [[10, 9, 1], 9],
    [[100, 20, 3, 1], 11.5]
  ])('of %j is %d', (values, expected) => {
    const before = [...values]
    expect(median(values)).toBe(expected)
    expect(values).toEqual(before)
  })
})
