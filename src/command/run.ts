import { CommanderError } from '@commander-js/extra-typings'
import { EXIT, Interrupted, UsageError } from './exit-codes.js'
import { createProgram } from './program.js'
import { drained, endWithReaders } from './readers.js'
import { ImportStopped, wordsOf } from './words-of.js'

/**
 * Runs a command to its end, and sets the exit code of the process. What it has printed is written then.
 *
 * @param args those behind `conclave`
 */
export async function runCommand(args: string[]): Promise<void> {
  endWithReaders(args[0] === 'start')
  const json = args.includes('--json')
  const endHere = () => endUndone(json)
  process.once('beforeExit', endHere)
  try {
    await createProgram({ silent: json }).parseAsync(args, { from: 'user' })
  } catch (error) {
    process.exitCode = exitCodeOf(error)
    // What commander refuses it has said itself to people, as it has what was asked for: help, or the version.
    if (!(error instanceof CommanderError)) await say(error, json)
    else if (json && error.exitCode !== 0) sayInJson(error.message.replace(/^error: /, ''), null)
  }
  for (const stream of [process.stdout, process.stderr]) await drained(stream)
  process.off('beforeExit', endHere)
}

/** Nothing is under way any more and the command is not done: what it waits for is never told. That is no success. */
function endUndone(json: boolean): void {
  const words =
    'The command ended before it was done: something that it waited for has gone without an answer. Run it again.'
  if (json) sayInJson(words, null)
  else process.stderr.write(`${words}\n`)
  process.exit(EXIT.FAILED)
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.DONE : EXIT.USAGE
  if (error instanceof Interrupted) return EXIT.INTERRUPTED
  return error instanceof UsageError ? EXIT.USAGE : EXIT.FAILED
}

async function say(error: unknown, json: boolean): Promise<void> {
  const stopped = error instanceof ImportStopped ? error : null
  const words = await wordsOf(stopped ? stopped.reason : error)
  const place = stopped && { line: stopped.line, position: stopped.position }
  if (json) sayInJson(words, place)
  else process.stderr.write(`${words}\n${stopped ? `${stopped.outlook}\n` : ''}`)
}

function sayInJson(words: string, more: object | null): void {
  process.stderr.write(`${JSON.stringify({ error: words, ...more })}\n`)
}
