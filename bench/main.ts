import { rmSync } from 'node:fs'
import { CannotRun, type Case } from './case.js'
import { cases } from './cases.js'
import { writeReadme } from './readme.js'
import { type CaseResult, missesOf, type Results, textTable, writeResults } from './results.js'
import { measureRounds } from './rounds.js'
import { describeRun } from './run-description.js'
import { selfTimes } from './self-times.js'
import { Stage } from './stage.js'

const FLAGS = ['--check', '--profile']
const PROFILES = '.bench-profiles'

/**
 * `npm run bench [-- [--check] [--profile] [case …]]` measures all cases, or those that are named. A run of all of them
 * is written to bench/results.json and into README.md. With `--check` it exits 1 when one misses its goal or did not run.
 * With `--profile` it leaves CPU profiles of the API processes behind, says where they spent their time, and writes no
 * results: profiling costs time itself.
 */
async function main(args: string[]): Promise<void> {
  const names = args.filter((arg) => !FLAGS.includes(arg))
  const isProfiled = args.includes('--profile')
  const chosen = choose(names)
  rmSync(PROFILES, { recursive: true, force: true })
  const opening = Stage.open(process.env.DATABASE_URL ?? null, isProfiled ? PROFILES : null)
  let isInterrupted = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      isInterrupted = true
      // What the case is at fails then, and with it the run; before its start the run ends of itself.
      void opening.then((stage) => stage.close())
    })
  }
  const stage = await opening
  try {
    const run = await describeRun(stage)
    const results: Results = { ...run, cases: [] }
    for (const one of chosen) {
      results.cases.push(await runCase(one, stage))
      if (isInterrupted) throw new Error('interrupted')
    }
    console.log(`\n${textTable(results)}`)
    if (names.length === 0 && !isProfiled) {
      writeResults(results)
      writeReadme(results)
    }
    const misses = results.cases.flatMap(missesOf)
    for (const miss of misses) console.log(miss)
    if (args.includes('--check') && misses.length > 0) process.exitCode = 1
  } finally {
    await stage.close()
  }
  if (isProfiled) console.log(selfTimes(PROFILES))
}

function choose(names: string[]): Case[] {
  const unknown = names.filter((name) => !cases.some((one) => one.name === name))
  if (unknown.length > 0) {
    throw new Error(`no such case: ${unknown.join(', ')}. There are ${cases.map(({ name }) => name).join(', ')}.`)
  }
  return names.length === 0 ? cases : cases.filter(({ name }) => names.includes(name))
}

async function runCase(one: Case, stage: Stage): Promise<CaseResult> {
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

function tell(line: string): void {
  console.error(`${(performance.now() / 1000).toFixed(0).padStart(4)} s  ${line}`)
}

main(process.argv.slice(2)).then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error instanceof Error ? (error.stack ?? error.message) : error)
    process.exit(1)
  }
)
