import { describe, expect, it, vi } from 'vitest'
import { conclude } from '../../../bench/conclude.js'
import type { CaseResult } from '../../../bench/results.js'
import { met, notRun, resultsOf, withRatio } from './results-of.js'

const missed = withRatio(1.9)

function run(cases: CaseResult[], { isKept = false, isChecked = false }) {
  const printed: string[] = []
  const keep = vi.fn()
  const exitCode = conclude(resultsOf(...cases), { isKept, isChecked }, { print: (text) => printed.push(text), keep })
  return { exitCode, keep, printed: printed.join('\n') }
}

describe('a run that is checked', () => {
  it.each([
    ['misses its goal', missed, 'other misses its goal: 1.9, and ≥ 2 was to be.'],
    ['misses a condition beyond it', { ...met, misses: ['p99 60 ms.'] }, 'met misses its goal: p99 60 ms.'],
    ['did not run', notRun, 'away did not run: Error: no pgbench']
  ])('fails where a case %s, and says so', (_, result, words) => {
    const { exitCode, printed } = run([met, result, met], { isChecked: true })
    expect(exitCode).toBe(1)
    expect(printed).toContain(words)
  })

  it('succeeds where all meet their goals', () => {
    expect(run([met, met], { isChecked: true }).exitCode).toBe(0)
  })
})

describe('a run that is not checked', () => {
  it('says what was missed, and succeeds', () => {
    const { exitCode, printed } = run([missed], {})
    expect(exitCode).toBe(0)
    expect(printed).toContain('other misses its goal')
  })
})

describe('results', () => {
  it('of some cases are not kept in the place of those of all', () => {
    expect(run([met], { isKept: false }).keep).not.toHaveBeenCalled()
  })

  it('of all are kept, whether their goals are met or not', () => {
    const { keep } = run([met, missed, notRun], { isKept: true, isChecked: true })
    expect(keep.mock.calls).toEqual([[resultsOf(met, missed, notRun)]])
  })
})
