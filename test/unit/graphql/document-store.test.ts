import { createHash } from 'node:crypto'
import { buildSchema, type DocumentNode } from 'graphql'
import { beforeEach, describe, expect, it } from 'vitest'
import { DocumentStore } from '../../../src/graphql/document-store.js'
import { queryLimits } from '../../support/query-limits.js'

const schema = buildSchema('type Query { a: Int, b: Int }')
const textHash = (text: string) => createHash('sha256').update(text).digest('hex')
const numbered = (index: number) => `query Numbered${index} { a }`
/** Room for some of the numbered documents, and not for fifty. */
const SMALL = 50_000

let store: DocumentStore
beforeEach(() => {
  store = new DocumentStore(SMALL)
})

const prepare = (text: string, mode: 'test' | 'production' = 'test') =>
  store.prepare(schema, { mode, introspection: null, queryLimits }, text)

describe('a document', () => {
  it.each(['{', '{ c }', 'query ($a: Int) { a }'])('that is wrong, such as %s, is refused each time', (text) => {
    for (let count = 0; count < 2; count++) expect(prepare(text)).toMatchObject([{ message: expect.any(String) }])
  })

  it('that is nested deeper than the stack is refused, and no fault of ours', () => {
    const limits = { ...queryLimits, tokens: 26_000 }
    const refusal = { message: 'The query is nested too deeply.' }
    expect(
      store.prepare(schema, { mode: 'test', introspection: null, queryLimits: limits }, `{ a(b: ${'['.repeat(25_000)}`)
    ).toMatchObject([refusal])
  })

  it('that asks for the schema is refused in production', () => {
    const refusal = { message: expect.stringContaining('introspection has been disabled') }
    expect(prepare('{ __schema { description } }', 'production')).toMatchObject([refusal])
  })

  it('is parsed and validated once', () => {
    expect(prepare('{ a }')).toMatchObject({ kind: 'Document' })
    expect(prepare('{ a }')).toBe(prepare('{ a }'))
    expect(prepare('{ a }')).not.toBe(prepare('{ b }'))
  })

  it('that Apollo found valid is the same one elsewhere, and the other way round', async () => {
    const ours = prepare('{ a }')
    expect(await store.forApollo().get(`schema:${textHash('{ a }')}`)).toBe(ours)
    const theirs = { kind: 'Document', definitions: [] } as unknown as DocumentNode
    await store.forApollo().set(`schema:${textHash('{ b }')}`, theirs)
    expect(prepare('{ b }')).toBe(theirs)
  })
})

describe('the room for documents', () => {
  it('is taken by those that were used last', () => {
    const [first, second] = [prepare(numbered(0)), prepare(numbered(1))]
    for (let index = 2; index < 50; index++) {
      prepare(numbered(index))
      expect(prepare(numbered(1))).toBe(second)
    }
    expect(prepare(numbered(0))).not.toBe(first)
  })

  it('is not taken by documents that are wrong, however many', () => {
    const good = prepare('{ a }')
    for (let index = 0; index < 200; index++) prepare(`query Wrong${index} { c }`)
    expect(prepare('{ a }')).toBe(good)
  })

  it('is not taken by one that is too large, comments included', () => {
    const good = prepare('{ a }')
    const large = `{ a }${'#\n'.repeat(1000)}`
    expect(prepare(large)).not.toBe(prepare(large))
    expect(prepare('{ a }')).toBe(good)
  })
})
