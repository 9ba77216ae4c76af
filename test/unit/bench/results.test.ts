import { describe, expect, it } from 'vitest'
import { type CaseResult, markdownTable, missesOf, textTable } from '../../../bench/results.js'
import { met, notRun, resultsOf, withRatio } from './results-of.js'

const AT_LEAST = { ratio: 'AT_LEAST', value: 0.95 } as const
const AT_MOST = { ratio: 'AT_MOST', value: 1.3 } as const

describe('a goal', () => {
  it('is missed by a case that did not run', () => {
    expect(missesOf(notRun)).toEqual(['away did not run: Error: no pgbench\n    at somewhere'])
  })

  it('is missed by what is no number', () => {
    for (const goal of [AT_LEAST, AT_MOST]) expect(missesOf(withRatio(Number.NaN, goal))).toHaveLength(1)
  })

  it.each([
    ['at least', AT_LEAST, 0.949, '0.949, and ≥ 0.95 was to be'],
    ['at most', AT_MOST, 1.301, '1.301, and ≤ 1.3 was to be']
  ])('of %s so much is missed on the other side of it', (_, goal, ratio, words) => {
    expect(missesOf(withRatio(ratio, goal))).toEqual([`other misses its goal: ${words}.`])
  })

  it('that is met leaves the conditions beyond it, a sentence each', () => {
    const result = { ...withRatio(1), misses: ['first.', 'second.'] }
    expect(missesOf({ ...result, goal: AT_LEAST })).toEqual([
      'other misses its goal: first.',
      'other misses its goal: second.'
    ])
    expect(missesOf({ ...result, goal: null })).toHaveLength(2)
    expect(missesOf({ ...result, goal: AT_MOST, misses: [] })).toEqual([])
  })

  it.each([
    ['at least', AT_LEAST, [0.95, 1, 100]],
    ['at most', AT_MOST, [1.3, 1, 0.01]]
  ])('of %s so much is met by just as much, and by more on its side', (_, goal, ratios) => {
    for (const ratio of ratios) expect(missesOf(withRatio(ratio, goal))).toEqual([])
  })
})

describe('the table', () => {
  const alone: CaseResult = {
    ...met,
    name: 'alone',
    beside: null,
    unit: 'KB',
    goal: { ratio: 'AT_MOST', value: 30 },
    figures: { measured: 17.34, beside: null, ratio: { median: 17.34, least: 17, most: 18 }, rounds: 2 },
    notes: ['heap | buffers']
  }

  it('has a row for each case, with its goal, its ratio and the spread, and the figures', () => {
    const table = markdownTable(resultsOf(met, withRatio(1.5), alone, notRun)).split('\n')
    expect(table.slice(2, 6)).toEqual([
      '| met | one side | the other | ≥ 2 | 2 (1.9–2.1) | met | 2,468/s : 1,234/s | a note |',
      '| other | one side | the other | ≥ 2 | 1.5 (1.5–1.5) | missed | 1/s : 1/s | a note |',
      '| alone | one side |  | ≤ 30 KB | 17.3 (17–18) | met | 17.3 KB | heap \\| buffers |',
      '| away | one side | the other | ≥ 2 |  | did not run |  | Error: no pgbench |'
    ])
    expect(table.at(-1)).toBe(
      '2026-01-02, Some CPU, 2 cores, 8 GiB; Conclave 1.2.3 (abc), Node 24.0.0, PostgreSQL 18.1.'
    )
  })

  it('in a terminal says the same', () => {
    const [headings, row] = textTable(resultsOf(met)).split('\n')
    expect(headings).toMatch(/^case {2}measured {2}beside/)
    expect(row).toBe('met   one side  the other  ≥ 2   2 (1.9–2.1)  met  2,468/s : 1,234/s  a note')
  })
})
