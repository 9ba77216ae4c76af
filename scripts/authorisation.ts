import { readFileSync, writeFileSync } from 'node:fs'
import { ACTORS, AS_THEIR_PARENT, FIELDS, OPERATIONS, type Row } from './authorisation-table.js'

/**
 * `node dist/scripts/authorisation.js` writes the tables of docs/authorisation.md from authorisation-table.ts; with
 * `--check` it compares.
 */

const FILE = 'docs/authorisation.md'
const SECTIONS = { operations: rowTable(OPERATIONS), fields: rowTable(FIELDS), 'as their parent': parentTable() }

function rowTable(rows: readonly Row[]): string {
  const lines = rows.map(([about, asked, ...outcomes]) => line([about, ...outcomes, `\`${asked}\``]))
  return tableOf(['', ...ACTORS, 'asked by'], lines)
}

function parentTable(): string {
  const lines = Object.entries(AS_THEIR_PARENT).map(([type, names]) => line([type, names.replaceAll(' ', ', ')]))
  return tableOf(['type', 'fields'], lines)
}

function tableOf(heads: readonly string[], lines: readonly string[]): string {
  return [line(heads), line(heads.map(() => '---')), ...lines].join('\n')
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** The document with each table between its two marks. */
function withTables(document: string): string {
  let text = document
  for (const [name, table] of Object.entries(SECTIONS)) {
    const marked = new RegExp(`(<!-- ${name}: [^\\n]* -->\\n).*?(<!-- /${name} -->)`, 's')
    if (!marked.test(text)) throw new Error(`${FILE} has no place for the table "${name}"`)
    text = text.replace(marked, (_, begin: string, end: string) => `${begin}${table}\n${end}`)
  }
  return text
}

const document = readFileSync(FILE, 'utf8')
if (!process.argv.includes('--check')) writeFileSync(FILE, withTables(document))
else if (withTables(document) !== document) {
  console.error(`${FILE} is stale: run npm run authorisation.`)
  process.exitCode = 1
}
