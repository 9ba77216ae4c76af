import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Case } from './case.js'
import type { Figures } from './rounds.js'

const FILE = 'bench/results.json'

export interface Results {
  date: string
  commit: string | null
  machine: { cpu: string; cores: number; memoryGiB: number }
  versions: { conclave: string; node: string; postgresql: string }
  cases: CaseResult[]
}

type Description = Pick<Case, 'name' | 'measured' | 'beside' | 'unit' | 'goal'>

export type CaseResult = Description & ({ figures: Figures; notes: string[]; misses: string[] } | { notRun: string })

/** @returns null before the first run of all cases */
export function readResults(): Results | null {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Results) : null
}

export function writeResults(results: Results): void {
  writeFileSync(FILE, `${JSON.stringify(results, null, 2)}\n`)
}

/** Why a case fails a check: a sentence each, none where it meets its goals. */
export function missesOf(result: CaseResult): string[] {
  if ('notRun' in result) return [`${result.name} did not run: ${result.notRun}`]
  const { name, goal, figures, misses } = result
  const { median } = figures.ratio
  const isMet = goal === null || (goal.ratio === 'AT_LEAST' ? median >= goal.value : median <= goal.value)
  // In more digits than the table has, where it may look like the goal itself.
  const found = Number(median.toPrecision(6))
  const missed = isMet ? [] : [`${name} misses its goal: ${found}, and ${goalText(result)} was to be.`]
  return [...missed, ...misses.map((miss) => `${name} misses its goal: ${miss}`)]
}

const HEADINGS = ['case', 'measured', 'beside', 'goal', 'ratio', '', 'figures', 'notes']

function rows(results: Results): string[][] {
  return results.cases.map((result) => {
    const { name, measured, beside } = result
    const description = [name, measured, beside ?? '', goalText(result)]
    if ('notRun' in result) return [...description, '', 'did not run', '', firstLine(result.notRun)]
    const verdict = missesOf(result).length === 0 ? 'met' : 'missed'
    return [...description, ratioText(result.figures), verdict, figuresText(result), result.notes.join('; ')]
  })
}

/** For a terminal. */
export function textTable(results: Results): string {
  const table = [HEADINGS, ...rows(results)]
  const widths = HEADINGS.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

/** For README.md, with where the figures are from. */
export function markdownTable(results: Results): string {
  const { machine, versions, date, commit } = results
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const software = `Conclave ${versions.conclave}${commit ? ` (${commit})` : ''}, Node ${versions.node}, PostgreSQL ${versions.postgresql}`
  return [
    line(HEADINGS),
    line(HEADINGS.map(() => '---')),
    ...rows(results).map(line),
    '',
    `${date.slice(0, 10)}, ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB; ${software}.`
  ].join('\n')
}

function goalText({ goal, beside, unit }: Description): string {
  if (goal === null) return 'see notes'
  return `${goal.ratio === 'AT_LEAST' ? '≥' : '≤'} ${goal.value}${beside === null ? ` ${unit}` : ''}`
}

function ratioText({ ratio }: Figures): string {
  return `${short(ratio.median)} (${short(ratio.least)}–${short(ratio.most)})`
}

function figuresText({ figures, unit }: { figures: Figures; unit: Case['unit'] }): string {
  const figure = (value: number) => (unit === '/s' ? `${short(value)}/s` : `${short(value)} ${unit}`)
  return figures.beside === null ? figure(figures.measured) : `${figure(figures.measured)} : ${figure(figures.beside)}`
}

/** Three digits that count. */
function short(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)))
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
