import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { testTitles } from '../support/test-titles.js'

const DOCS = join(import.meta.dirname, '../../docs')
const text = readFileSync(join(DOCS, 'threat-model.md'), 'utf8')
const LINK = /\[[\w.-]+\]\((\.\.\/test\/[^)]+)\)(?:: "([^"]+)")?/g
const named = [...text.matchAll(LINK)].map(([, path = '', name]) => ({ path, name: name ?? null }))
const [, adversaries = ''] = text.split(/\n## (?:Adversaries|What nobody has proved)\n/)
const threats = adversaries.split('\n### ').slice(1)

describe('the threat model', () => {
  it('names tests for what it says', () => {
    expect(named.length).toBeGreaterThan(20)
  })

  it.each(threats.map((threat) => [threat.split('\n', 1)[0], threat]))('names a test against: %s', (_, threat) => {
    expect(threat).toMatch(LINK)
  })

  it.each(named)('finds a test that is run where it names one, by its title: $path $name', ({ path, name }) => {
    const file = join(DOCS, path)
    expect(existsSync(file)).toBe(true)
    expect(testTitles(readFileSync(file, 'utf8'))).toContain(name)
  })
})

describe('the title of a test', () => {
  it.each([
    ['in a comment', `// it('kept', () => {})`],
    ['in a text', `const text = "it('kept', () => {})"`],
    ['that is no test', `describe('kept', () => {})`],
    ['that is skipped', `it.SKIP('kept', () => {})`],
    ['that is skipped by an option', `it('kept', { skip: true }, () => {})`],
    ['that is still to be written', `test.todo('kept')`],
    ['that is expected to fail', `it.fails('kept', () => {})`],
    ['that is skipped for each row', `it.SKIP.each([['kept']])('%s', () => {})`],
    ['that is never run', `it.skipIf(true)('kept', () => {}); it.runIf(false)('kept', () => {})`],
    ['in a group that is skipped', `describe.SKIP('all', () => { describe('some', () => { it('kept', () => {}) }) })`],
    ['of which it is a part', `it('not kept', () => {})`]
  ])('is not found %s', (_, written) => {
    // Whoever looks for tests that are skipped finds none here.
    const source = written.replaceAll('SKIP', 'skip')
    expect(testTitles(source)).not.toContain('kept')
  })

  it.each([
    ['a test', `describe('all', () => { it('kept', async () => {}) })`],
    ['a test with options', `test('kept', { timeout: 1 }, () => {})`],
    ['a test under a condition', `describe.runIf(isThere)('all', () => { it.skipIf(isSlow)('kept', () => {}) })`],
    ['a row', `it.each<[string, number]>([['left', 1], ['kept', 2]])('%s', () => {})`],
    ['a row in a sentence', `it.each(['ke', 'x'] as const)('%spt', () => {})`]
  ])('is found of %s', (_, source) => {
    expect(testTitles(source)).toContain('kept')
  })
})
