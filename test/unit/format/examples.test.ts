import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { withExamples } from '../../../scripts/vectors/example-blocks.js'

const DOCUMENTS = ['docs/format.md', 'docs/format-export.md'].map((path) => [path, readFileSync(path, 'utf8')] as const)

describe.each(DOCUMENTS)('%s', (_, document) => {
  it('has the examples that the vectors give: npm run format-examples writes them', () => {
    expect(withExamples(document)).toBe(document)
  })

  it('has no table or example that an anchor of its contents does not reach', () => {
    const headings = [...document.matchAll(/^#{2,3} (.+)$/gm)].map(([, heading = '']) => anchorOf(heading))
    const anchors = [...document.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = '']) => anchor)
    expect(anchors.filter((anchor) => !headings.includes(anchor))).toEqual([])
  })
})

describe('the two together', () => {
  it('have an example of every file of vectors', () => {
    const named = DOCUMENTS.flatMap(([, document]) =>
      [...document.matchAll(/<!-- example: (\S+) /g)].map(([, file]) => `${file}.json`)
    )
    expect([...new Set(named)].sort()).toEqual(readdirSync('test/vectors').sort())
  })
})

/** As GitHub makes it of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')
}
