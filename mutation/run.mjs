// Mutates each folder of src that is named, or all of them, and says which mutants its tests did not notice.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startDatabase } from './database.mjs'
import { NAMES, needsDatabase } from './folders.mjs'

/** Stryker works on copies of the project, from which what lies beside it or is not copied is not found. */
const PLACES = {
  WYCHEPROOF_DIR: resolve('../shared/wycheproof'),
  OPENBAO_BIN: resolve('.provider-tools/bin/bao'),
  MOTO_SERVER_BIN: resolve('.provider-tools/bin/moto_server')
}

async function mutate(name) {
  if (!needsDatabase(name)) return await runStryker(name)
  const { provided, stop } = await startDatabase()
  try {
    return await runStryker(name, { MUTATION_DATABASE: JSON.stringify(provided) })
  } finally {
    await stop()
  }
}

async function runStryker(name, variables = {}) {
  const command = ['stryker', 'run', 'mutation/stryker.config.mjs']
  const env = { ...PLACES, ...process.env, ...variables, MUTATED_FOLDER: name }
  const report = join('reports', 'mutation', `${name}.json`)
  rmSync(report, { force: true })
  const [status] = await once(spawn(command[0], command.slice(1), { stdio: 'inherit', env }), 'exit')
  if (existsSync(report)) printUnnoticed(report)
  return status === 0
}

function printUnnoticed(path) {
  const { files } = JSON.parse(readFileSync(path, 'utf8'))
  for (const [file, { source, mutants }] of Object.entries(files)) {
    const lines = source.split('\n')
    for (const { status, location, mutatorName, replacement = '' } of mutants) {
      if (status !== 'Survived' && status !== 'NoCoverage') continue
      const { line } = location.start
      console.log(
        `${file}:${line} ${status} ${mutatorName}: ${lines[line - 1].trim()} => ${replacement.split('\n')[0]}`
      )
    }
  }
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !NAMES.includes(name))
if (unknown.length > 0) {
  console.error(`There is no ${unknown.join(', ')}. There are ${NAMES.join(', ')}.`)
  process.exit(1)
}

// The terminal interrupts Stryker as well; what this has started is ended when that has.
let interrupted = false
process.on('SIGINT', () => {
  interrupted = true
})
for (const name of asked.length > 0 ? asked : NAMES) {
  if (!(await mutate(name))) process.exitCode = 1
  if (interrupted) break
}
