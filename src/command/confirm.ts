import { createInterface } from 'node:readline/promises'
import { StartError } from '../start-error.js'
import { Interrupted, UsageError } from './exit-codes.js'

/**
 * Has somebody at the terminal agree to what cannot be taken back.
 *
 * @param loss what will be lost, in lines
 * @param word to be typed
 * @throws UsageError where there is no terminal and `--yes` was not given; StartError where they do not agree; Interrupted where they
 *   give no answer
 */
export async function confirm(loss: string, word: string, { yes }: { yes?: true | undefined }): Promise<void> {
  if (yes) return
  process.stderr.write(`${loss}\n`)
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError('Nothing was done. Give --yes to have it done: nobody can be asked here.')
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(`Type ${word} to go on: `)
    if (answer.trim() !== word) throw new StartError('Nothing was done.')
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error
    // The line of the question has no end yet.
    process.stderr.write('\n')
    throw new Interrupted('Nothing was done.')
  } finally {
    terminal.close()
  }
}
