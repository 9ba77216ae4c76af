import { writeSync } from 'node:fs'
import { CommanderError } from '@commander-js/extra-typings'
import { EXIT } from './exit-codes.js'
import { createProgram } from './program.js'
import { wordsOf } from './words-of.js'

/** Runs a command to its end, and sets the exit code of the process. @param args those behind `conclave` */
export async function runCommand(args: string[]): Promise<void> {
  try {
    await createProgram().parseAsync(args, { from: 'user' })
  } catch (error) {
    process.exitCode = exitCodeOf(error)
    // What commander refuses it has said itself, as it has what was asked for: help, or the version.
    if (!(error instanceof CommanderError)) say(await wordsOf(error), args.includes('--json'))
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.DONE : EXIT.USAGE
  return (error as Error | null)?.name === 'UsageError' ? EXIT.USAGE : EXIT.FAILED
}

/** At once, since the process ends with it. */
function say(words: string, json: boolean): void {
  try {
    writeSync(process.stderr.fd, `${json ? JSON.stringify({ error: words }) : words}\n`)
  } catch {
    // Nobody reads it.
  }
}
