import { describe, expect, it, vi } from 'vitest'
import { CannotRun, type Case, type Prepared } from '../../../bench/case.js'
import { runCase } from '../../../bench/run-case.js'
import type { Stage } from '../../../bench/stage.js'

const description = { name: 'some', measured: 'one side', beside: 'the other', unit: '/s', goal: null } as const
const stage = { caseName: '' } as Stage

async function run(prepared: Partial<Prepared>, prepare?: Case['prepare']) {
  const close = vi.fn(async () => {})
  const whole: Prepared = { measured: async () => 6, beside: async () => 3, close, ...prepared }
  const one: Case = { ...description, rounds: { atMost: 1, warmUp: false }, prepare: prepare ?? (async () => whole) }
  return { result: await runCase(one, stage, () => {}), close }
}

describe('a case', () => {
  it('that lacks something did not run, in the words of what it lacks', async () => {
    const { result } = await run({}, async () => {
      throw new CannotRun('there is no pgbench')
    })
    expect(result).toEqual({ ...description, notRun: 'there is no pgbench' })
  })

  it.each(['measured', 'beside', 'notes', 'misses'] as const)(
    'of which the %s fail did not run, and is closed',
    async (part) => {
      const { result, close } = await run({ [part]: () => Promise.reject(new Error('refused')) })
      expect(result).toMatchObject({ notRun: expect.stringMatching(/^Error: refused\n +at /) })
      expect(close).toHaveBeenCalledOnce()
    }
  )

  it('has the figures of its rounds, its notes and its misses, and is closed', async () => {
    const { result, close } = await run({ notes: () => ['a note'], misses: async () => ['a miss'] })
    const ratio = { median: 2, least: 2, most: 2 }
    const figures = { measured: 6, beside: 3, ratio, rounds: 1 }
    expect(result).toEqual({ ...description, figures, notes: ['a note'], misses: ['a miss'] })
    expect(close).toHaveBeenCalledOnce()
    expect(stage.caseName).toBe('some')
  })
})
