import { readFileSync, writeFileSync } from 'node:fs'
import { markdownTable, type Results } from './results.js'

const FILE = 'README.md'
const MARKED = /(<!-- bench: from bench\/results\.json, do not edit -->\n).*?(<!-- \/bench -->)/s

/**
 * README.md with the table of some results between its two marks.
 *
 * @throws Error where the marks are missing
 */
export function withTable(readme: string, results: Results | null): string {
  if (!MARKED.test(readme)) throw new Error(`${FILE} has no place for the table of the benchmark`)
  const table = results === null ? '' : `${markdownTable(results)}\n`
  return readme.replace(MARKED, (_, begin: string, end: string) => `${begin}${table}${end}`)
}

export function writeReadme(results: Results | null): void {
  writeFileSync(FILE, withTable(readFileSync(FILE, 'utf8'), results))
}

/** Whether the table is the one of these results. */
export function isInStep(results: Results | null): boolean {
  const readme = readFileSync(FILE, 'utf8')
  return withTable(readme, results) === readme
}
