import { readFileSync } from 'node:fs'

/** The SQL blocks of a section of a document, in their order: what is documented is what is run. */
export function documentedSql(title: string, document: 'scaling' | 'operations' = 'scaling'): string[] {
  const text = readFileSync(new URL(`../../docs/${document}.md`, import.meta.url), 'utf8')
  const section = text.split(/^##+ /m).find((part) => part.startsWith(`${title}\n`))
  const blocks = [...(section ?? '').matchAll(/```sql\n(.*?)```/gs)].map(([, block]) => block ?? '')
  if (blocks.length === 0) throw new Error(`docs/${document}.md has no SQL under "${title}"`)
  return blocks
}
