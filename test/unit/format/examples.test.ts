import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { withExamples } from '../../../scripts/vectors/example-blocks.js'

const DOCUMENT = readFileSync('docs/format.md', 'utf8')

describe('docs/format.md', () => {
  it('has the examples that the vectors give: npm run format-examples writes them', () => {
    expect(withExamples(DOCUMENT)).toBe(DOCUMENT)
  })

  it('has an example of every file of vectors', () => {
    const named = [...DOCUMENT.matchAll(/<!-- example: (\S+) /g)].map(([, file]) => file)
    expect([...new Set(named)].sort()).toEqual(
      [
        'associated-data',
        'cursors',
        'fingerprints',
        'key-events',
        'kms-private-keys',
        'local-private-keys',
        'message-ids',
        'messages',
        'titles',
        'vault-private-keys',
        'wrapped-data-keys'
      ].sort()
    )
  })

  it('has no table or example that an anchor of its contents does not reach', () => {
    const headings = [...DOCUMENT.matchAll(/^#{2,3} (.+)$/gm)].map(([, heading = '']) => anchorOf(heading))
    const anchors = [...DOCUMENT.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = '']) => anchor)
    expect(anchors.filter((anchor) => !headings.includes(anchor))).toEqual([])
  })
})

/** As GitHub makes it of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')
}
