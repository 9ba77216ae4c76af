import { CannotRun, type Case } from './case.js'
import type { CaseResult } from './results.js'
import { measureRounds } from './rounds.js'
import type { Stage } from './stage.js'

/** Prepares a case, measures it and closes it. One that fails did not run, and is the end of no other. */
export async function runCase(one: Case, stage: Stage, tell: (line: string) => void): Promise<CaseResult> {
  const { name, measured, beside, unit, goal } = one
  const description = { name, measured, beside, unit, goal }
  try {
    tell(`${name}: preparing`)
    stage.caseName = name
    const prepared = await one.prepare(stage)
    try {
      const figures = await measureRounds(one, prepared, (round) => tell(`${name}: round ${round}`))
      const notes = (await prepared.notes?.()) ?? []
      const misses = (await prepared.misses?.()) ?? []
      return { ...description, figures, notes, misses }
    } finally {
      await prepared.close()
    }
  } catch (error) {
    const reason = error instanceof CannotRun ? error.message : ((error as Error).stack ?? String(error))
    return { ...description, notRun: reason }
  }
}
