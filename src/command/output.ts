/** Where a command prints what it has found: in words for people, or as one JSON line for each thing. */
export class Output {
  readonly json: boolean

  constructor({ json = false }: { json?: boolean | undefined }) {
    this.json = json
  }

  /** @param words null for what is of use to programs only */
  print(record: object, words: string | null): void {
    if (this.json) process.stdout.write(`${JSON.stringify(record)}\n`)
    else if (words !== null) process.stdout.write(`${words}\n`)
  }

  /** For people only. */
  say(words: string): void {
    if (!this.json) process.stdout.write(`${words}\n`)
  }

  /** @param columns in the order that people see them, by what stands above them */
  table<Row extends object>(rows: readonly Row[], columns: Record<string, (row: Row) => string>): void {
    if (this.json) for (const row of rows) this.print(row, null)
    else for (const line of aligned([Object.keys(columns), ...rows.map((row) => cells(row, columns))])) this.say(line)
  }
}

function cells<Row>(row: Row, columns: Record<string, (row: Row) => string>): string[] {
  return Object.values(columns).map((cell) => cell(row))
}

function aligned(lines: string[][]): string[] {
  const widths = (lines[0] ?? []).map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)))
  return lines.map((line) =>
    line
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd()
  )
}

/** An instant for people; a dash for none. */
export function instant(at: Date | null): string {
  return at ? at.toISOString().replace(/\.\d+Z$/, 'Z') : '-'
}
