import type { CaseResult, Results } from '../../../bench/results.js'

type Measured = Exclude<CaseResult, { notRun: string }>

const description = {
  name: 'met',
  measured: 'one side',
  beside: 'the other',
  unit: '/s',
  goal: { ratio: 'AT_LEAST', value: 2 }
} as const

/** Has measured twice of what stands beside it, and was to reach as much. */
export const met: Measured = {
  ...description,
  figures: { measured: 2468, beside: 1234, ratio: { median: 2, least: 1.9, most: 2.1 }, rounds: 12 },
  notes: ['a note'],
  misses: []
}

export const notRun: CaseResult = { ...description, name: 'away', notRun: 'Error: no pgbench\n    at somewhere' }

/** The same as {@link met} with another median of its ratios. */
export function withRatio(median: number, goal = met.goal): Measured {
  const ratio = { median, least: median, most: median }
  return { ...met, name: 'other', goal, figures: { measured: 1, beside: 1, ratio, rounds: 1 } }
}

export function resultsOf(...cases: CaseResult[]): Results {
  return {
    date: '2026-01-02T03:04:05.678Z',
    commit: 'abc',
    machine: { cpu: 'Some CPU', cores: 2, memoryGiB: 8 },
    versions: { conclave: '1.2.3', node: '24.0.0', postgresql: '18.1' },
    cases
  }
}
