import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { PersistedQueries } from '../../../src/graphql/persisted-queries.js'

const QUERY = '{ viewer { id } }'
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const named = (sha256Hash: unknown, version: unknown = 1) => ({ persistedQuery: { version, sha256Hash } })
const byHash = (text: string) => ({ extensions: named(sha256(text)) })
const NOT_LISTED = 'This server runs the operations of its list only, and this is none of them.'

describe('an automatic persisted query', () => {
  it.each([
    ['is no object', { persistedQuery: 1 }],
    ['has another version', named(sha256(QUERY), 2)],
    ['has a hash that is no text', named({ toString: 1 })],
    ['has the hash of another text', named(sha256('{ other }'))]
  ])('is refused when it %s', (_, extensions) => {
    const queries = new PersistedQueries(null)
    const refusal = expect.objectContaining({ code: 'BAD_USER_INPUT', field: 'extensions.persistedQuery' })
    expect(() => queries.textOf({ query: QUERY, extensions })).toThrow(refusal)
    expect(() => queries.requireAllowed({ query: QUERY, extensions })).toThrow(refusal)
  })

  it('is not found before it was kept', () => {
    const queries = new PersistedQueries(null)
    expect(() => queries.textOf(byHash(QUERY))).toThrow('PersistedQueryNotFound')
    expect(queries.textOf({ query: QUERY, ...byHash(QUERY) })).toBe(QUERY)
    expect(() => queries.textOf(byHash(QUERY))).toThrow('PersistedQueryNotFound')
  })

  it('is found afterwards, by Apollo too, and with an empty text beside it', async () => {
    const queries = new PersistedQueries(null)
    queries.keep({ query: QUERY, ...byHash(QUERY) })
    for (const query of [undefined, null, '']) expect(queries.textOf({ query, ...byHash(QUERY) })).toBe(QUERY)
    expect(await queries.forApollo().get(`apq:${sha256(QUERY)}`)).toBe(QUERY)
    await queries.forApollo().set(`apq:${sha256('{ a }')}`, '{ a }')
    expect(queries.textOf(byHash('{ a }'))).toBe('{ a }')
  })

  it('is kept only when its client names it by its hash', () => {
    const queries = new PersistedQueries(null)
    queries.keep({ query: QUERY })
    expect(() => queries.textOf(byHash(QUERY))).toThrow('PersistedQueryNotFound')
  })

  it('makes room for others when it was not used', () => {
    const queries = new PersistedQueries(null, 1000)
    const text = (index: number) => `query Numbered${index} { a }`
    for (let index = 0; index < 20; index++) queries.keep({ query: text(index), ...byHash(text(index)) })
    expect(() => queries.textOf(byHash(text(0)))).toThrow('PersistedQueryNotFound')
    expect(queries.textOf(byHash(text(19)))).toBe(text(19))
  })
})

describe('with a list', () => {
  const queries = new PersistedQueries(new Map([['viewer-1', QUERY]]))

  it.each([
    ['another text', { query: '{ viewer { name } }' }],
    ['the text in another form', { query: '{viewer{id}}' }],
    ['another id', { extensions: named('viewer-2') }],
    ['another id beside a text of the list', { query: QUERY, extensions: named('viewer-2') }],
    ['neither', {}],
    ['an empty text', { query: '' }]
  ])('%s is refused', (_, source) => {
    expect(() => queries.textOf(source)).toThrow(NOT_LISTED)
    expect(() => queries.requireAllowed(source)).toThrow(NOT_LISTED)
  })

  it('an operation is taken by its id or its very text', () => {
    for (const source of [{ query: QUERY }, { extensions: named('viewer-1') }]) {
      expect(queries.textOf(source)).toBe(QUERY)
      queries.requireAllowed(source)
    }
  })

  it('the text of the list is run, whatever stands beside its id', () => {
    const source = { query: '{ viewer { name } }', extensions: named('viewer-1') }
    expect(queries.textOf(source)).toBe(QUERY)
    expect(() => queries.requireAllowed(source)).toThrow(NOT_LISTED)
  })

  it('nothing is added to it', async () => {
    queries.keep({ query: '{ a }', ...byHash('{ a }') })
    await queries.forApollo().set(`apq:${sha256('{ a }')}`, '{ a }')
    expect(() => queries.textOf(byHash('{ a }'))).toThrow(NOT_LISTED)
    expect(await queries.forApollo().get('apq:viewer-1')).toBe(QUERY)
    expect(await queries.forApollo().get(`apq:${sha256('{ a }')}`)).toBeUndefined()
  })
})
