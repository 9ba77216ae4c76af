import { rmSync } from 'node:fs'
import { cases } from './cases.js'
import { readCommand } from './command.js'
import { conclude } from './conclude.js'
import { writeReadme } from './readme.js'
import { type Results, writeResults } from './results.js'
import { runCase } from './run-case.js'
import { describeRun } from './run-description.js'
import { selfTimes } from './self-times.js'
import { Stage } from './stage.js'

const PROFILES = '.bench-profiles'

/**
 * `npm run bench [-- [--check] [--profile] [case …]]` measures all cases, or those that are named. A run of all of them
 * is written to bench/results.json and into README.md. With `--check` it exits 1 when one misses its goal or did not run.
 * With `--profile` it leaves CPU profiles of the API processes behind, says where they spent their time, and writes no
 * results: profiling costs time itself.
 */
async function main(args: string[]): Promise<void> {
  const command = readCommand(args, cases)
  rmSync(PROFILES, { recursive: true, force: true })
  const opening = Stage.open(process.env.DATABASE_URL ?? null, command.isProfiled ? PROFILES : null)
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
    for (const one of command.cases) {
      results.cases.push(await runCase(one, stage, tell))
      if (isInterrupted) throw new Error('interrupted')
    }
    process.exitCode = conclude(results, command, { print: (text) => console.log(text), keep })
  } finally {
    await stage.close()
  }
  if (command.isProfiled) console.log(selfTimes(PROFILES))
}

function keep(results: Results): void {
  writeResults(results)
  writeReadme(results)
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
