import type { Command } from './command.js'
import { missesOf, type Results, textTable } from './results.js'

/**
 * Prints the table and what was missed, and keeps the results where they are to be kept.
 *
 * @returns the exit code
 */
export function conclude(
  results: Results,
  { isKept, isChecked }: Pick<Command, 'isKept' | 'isChecked'>,
  { print, keep }: { print(text: string): void; keep(results: Results): void }
): 0 | 1 {
  print(`\n${textTable(results)}`)
  if (isKept) keep(results)
  const misses = results.cases.flatMap(missesOf)
  for (const miss of misses) print(miss)
  return isChecked && misses.length > 0 ? 1 : 0
}
