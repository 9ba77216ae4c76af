import { isInStep, writeReadme } from './readme.js'
import { readResults } from './results.js'

/** `node dist/bench/table.js` writes the table of README.md from bench/results.json; with `--check` it compares. */
const results = readResults()
if (!process.argv.includes('--check')) writeReadme(results)
else if (!isInStep(results)) {
  console.error('The table of the benchmark in README.md is stale: run node dist/bench/table.js.')
  process.exitCode = 1
}
