/** The part of a command's help that shows it in use: what it is for, and the line. */
export function examples(lines: Record<string, string>): string {
  return `\nExamples:\n${Object.entries(lines)
    .map(([line, what]) => `  # ${what}\n  ${line}`)
    .join('\n')}`
}
