import { Command } from '@commander-js/extra-typings'
import type { Finding, FindingState } from './doctor/finding.js'
import { examples } from './examples.js'
import { EXIT } from './exit-codes.js'
import { jsonOption } from './options.js'
import { Output } from './output.js'

const MARKS: Record<FindingState, string> = {
  OK: 'ok     ',
  WARNING: 'warning',
  FAULT: 'FAULT  ',
  NOT_CHECKED: '-      '
}

export const doctor = () =>
  new Command('doctor')
    .description(
      `Look at configuration, database, migrations, Redis, master keys, keys and clock, and say what to do about each. Changes nothing. Ends with ${EXIT.FAULTS_FOUND} where something is at fault.`
    )
    .addOption(jsonOption())
    .addHelpText('after', examples({ 'conclave doctor': 'before the first start, and when something is wrong' }))
    .action(async (options) => {
      const { examine } = await import('./doctor/examine.js')
      const output = new Output(options)
      for await (const finding of examine(process.env)) {
        output.print(finding, shown(finding))
        if (finding.state === 'FAULT') process.exitCode = EXIT.FAULTS_FOUND
      }
    })

function shown({ check, state, words }: Finding): string {
  return `${MARKS[state]}  ${check.padEnd('configuration'.length)}  ${words}`
}
