import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config.js'
import { problemsOf } from './config-problems.js'

const folder = mkdtempSync(join(tmpdir(), 'conclave-list-'))
const file = join(folder, 'manifest.json')
afterAll(() => rmSync(folder, { recursive: true }))

const complete = { format: 'apollo-persisted-query-manifest', version: 1 }
const operation = { id: 'a', name: 'A', type: 'query', body: 'query A { viewer { id } }' }

function given(content: unknown): NodeJS.ProcessEnv {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return { PERSISTED_QUERIES: file }
}

describe('PERSISTED_QUERIES', () => {
  it.each([
    ['is not JSON', '{', 'is not JSON.'],
    ['is a list', [], 'must be an object.'],
    [
      'has another format',
      { ...complete, format: 'x', operations: [] },
      'format must be "apollo-persisted-query-manifest".'
    ],
    ['has another version', { ...complete, version: 2, operations: [] }, 'version must be 1.'],
    ['has no operations', complete, 'operations must be a list.'],
    [
      'has one without a body',
      { ...complete, operations: [operation, { id: 'b' }] },
      'operations 1 body must be a text.'
    ],
    [
      'has one with an empty id',
      { ...complete, operations: [{ ...operation, id: '' }] },
      'operations 0 id must not be empty.'
    ],
    [
      'has an id twice',
      { ...complete, operations: [operation, operation] },
      'operations 1 has an id that another one has.'
    ]
  ])('is refused when the file %s', (_, content, problem) => {
    const [found, ...more] = problemsOf(given(content))
    expect(found).toMatch(/^PERSISTED_QUERIES /)
    expect(found?.endsWith(problem)).toBe(true)
    expect(more).toEqual([])
  })

  it('is refused together with every other problem', () => {
    expect(problemsOf({ PERSISTED_QUERIES: join(folder, 'nowhere'), PORT: 'x' })).toEqual([
      'PORT must be a whole number.',
      `PERSISTED_QUERIES ${join(folder, 'nowhere')} cannot be read (ENOENT).`
    ])
  })

  it('gives the operations that may run, and none without it', () => {
    const { persistedQueries } = loadConfig(given({ ...complete, operations: [operation] }))
    expect(persistedQueries).toEqual(new Map([['a', operation.body]]))
    expect(loadConfig({}).persistedQueries).toBeNull()
  })
})
