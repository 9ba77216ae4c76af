import { CommanderError } from '@commander-js/extra-typings'
import { EXIT } from './exit-codes.js'
import { createProgram } from './program.js'
import { drained, endWithReaders } from './readers.js'
import { wordsOf } from './words-of.js'

/**
 * Runs a command to its end, and sets the exit code of the process. What it has printed is written then.
 *
 * @param args those behind `conclave`
 */
export async function runCommand(args: string[]): Promise<void> {
  endWithReaders(args[0] === 'start')
  try {
    await createProgram().parseAsync(args, { from: 'user' })
  } catch (error) {
    process.exitCode = exitCodeOf(error)
    // What commander refuses it has said itself, as it has what was asked for: help, or the version.
    if (!(error instanceof CommanderError)) say(await wordsOf(error), args.includes('--json'))
  }
  for (const stream of [process.stdout, process.stderr]) await drained(stream)
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.DONE : EXIT.USAGE
  return (error as Error | null)?.name === 'UsageError' ? EXIT.USAGE : EXIT.FAILED
}

function say(words: string, json: boolean): void {
  process.stderr.write(`${json ? JSON.stringify({ error: words }) : words}\n`)
}
