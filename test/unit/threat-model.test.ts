import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const DOCS = join(import.meta.dirname, '../../docs')
const text = readFileSync(join(DOCS, 'threat-model.md'), 'utf8')
const LINK = /\[[\w.-]+\]\((\.\.\/test\/[^)]+)\)(?:: "([^"]+)")?/g
const named = [...text.matchAll(LINK)].map(([, path = '', name]) => ({ path, name: name ?? null }))

describe('the threat model', () => {
  it('names tests for what it says', () => {
    expect(named.length).toBeGreaterThan(20)
  })

  it.each(named)('finds what it names: $path $name', ({ path, name }) => {
    const file = join(DOCS, path)
    expect(existsSync(file)).toBe(true)
    if (name !== null) expect(readFileSync(file, 'utf8')).toContain(name)
  })
})
