import { parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import { QueryTooComplex } from '../../../src/errors.js'
import { requireWithinLimits } from '../../../src/graphql/document-limits.js'
import type { QueryLimits } from '../../../src/query-limits.js'

/** Nothing that these tests write is over any of them. */
const WIDE: QueryLimits = {
  characters: 1e9,
  tokens: 1e9,
  operations: 100,
  fields: 10_000,
  depth: 100,
  rootFields: 100,
  aliases: 100,
  directives: 100,
  repeats: 100,
  values: 1e9,
  cost: 1e9
}

/** What a document is found to have of something, by being held to one less. */
function found(limit: keyof QueryLimits, text: string): number {
  for (let max = 0; ; max++) {
    try {
      requireWithinLimits(parse(text), { ...WIDE, [limit]: max })
      return max
    } catch (error) {
      expect(error).toMatchObject({ limit, max })
      if ((error as QueryTooComplex).found - max > 1) max = (error as QueryTooComplex).found - 1
    }
  }
}

function refusal(text: string, limits: Partial<QueryLimits> = {}): unknown {
  try {
    requireWithinLimits(parse(text), { ...WIDE, ...limits })
  } catch (error) {
    return error
  }
  throw new Error('it was not refused')
}

/** Each fragment spreads the next one twice, under two fields. */
function bomb(length: number): string {
  const fragments = Array.from({ length }, (_, n) => `fragment F${n} on T { a { ...F${n + 1} } b { ...F${n + 1} } }`)
  return `{ a { ...F0 } } ${fragments.join(' ')} fragment F${length} on T { c }`
}

describe('a refusal', () => {
  it('says which limit it was, its value, and what was found', () => {
    const error = refusal('{ a b c }', { rootFields: 2 }) as QueryTooComplex
    expect(error).toBeInstanceOf(QueryTooComplex)
    expect(error).toMatchObject({ code: 'QUERY_TOO_COMPLEX', details: { limit: 'rootFields', max: 2, found: 3 } })
    expect(error.message).toBe('The query has 3 root fields; 2 are allowed. Ask for less at a time.')
  })

  it.each([
    ['itself', '{ ...A } fragment A on T { b { ...A } }'],
    [
      'one that contains it',
      '{ a { ...A } } fragment A on T { ...B } fragment B on T { c ...C } fragment C on T { ...A }'
    ],
    ['itself, where nobody uses it', '{ a } fragment A on T { ...A }'],
    ['itself, besides others', `{ ...A ...B } fragment B on T { c } fragment A on T { ${'...B '.repeat(10)} ...A }`]
  ])('is what a fragment comes to that contains %s, whatever the limit', (_, text) => {
    const error = refusal(text, { fields: Number.MAX_VALUE }) as QueryTooComplex
    expect(error).toMatchObject({ limit: 'fields', found: Number.POSITIVE_INFINITY, details: { found: null } })
    expect(error.message).toContain('endlessly many')
  })

  it('comes without walking what a bomb of fragments would be when written out', () => {
    expect(refusal(bomb(40))).toMatchObject({ limit: 'fields', found: 5 * 2 ** 40 - 2 })
    expect(found('fields', bomb(4))).toBe(78)
  })
})

describe('what is counted', () => {
  it.each<[keyof QueryLimits, string, number]>([
    ['operations', 'query A { a } mutation B { b } fragment C on T { c }', 2],

    ['fields', '{ a b { c } }', 3],
    ['fields', '{ ... { a } ...F } fragment F on T { b { c } }', 5],
    ['fields', '{ a { ...F } b { ...F } } fragment F on T { c d }', 8],
    ['fields', 'query A { a } query B { ...F } fragment F on T { c }', 3],
    ['fields', '{ a } fragment Unused on T { b c }', 3],
    ['fields', '{ a ...Missing }', 2],

    ['depth', '{ a }', 1],
    ['depth', '{ a { b { c } } d { e } }', 3],
    ['depth', '{ ... { ...F } } fragment F on T { a { ...G } } fragment G on T { b }', 2],
    ['depth', '{ a { b } a { c { d } } }', 3],
    ['depth', 'query A { a } query B { a { b } }', 2],
    ['depth', '{ a } fragment Unused on T { a { b { c } } }', 3],
    ['depth', '{ __schema { types { fields { type { name } } } } a { b } }', 2],
    ['depth', '{ __typename }', 1],

    ['rootFields', '{ a b: a ...F } fragment F on T { a c }', 3],
    ['rootFields', 'query A { a b } query B { a b c { d e f g } }', 3],

    ['aliases', '{ a: b a: b c { d: e } ...F } fragment F on T { x: y }', 4],
    ['aliases', '{ a { ...F } b { ...F } } fragment F on T { x: y }', 2],

    ['directives', 'query ($v: Int @v) @q { a @x @y ... @z { b } ...F @f } fragment F on T @ignored { c @c }', 7],

    ['repeats', '{ a b c }', 0],
    ['repeats', '{ a a a: b }', 2],
    ['repeats', '{ a { b } a { b c } }', 2],
    ['repeats', '{ id ...F ...G ...F } fragment F on T { id } fragment G on T { id }', 2],
    ['repeats', '{ ... on T { id } ... on U { id } }', 1]
  ])('of %s in %s is %d', (limit, text, count) => {
    expect(found(limit, text)).toBe(count)
  })

  it('lets a document through that reaches every limit', () => {
    const text = '{ a: b a: b c { d @x } }'
    const limits = { ...WIDE, operations: 1, fields: 4, depth: 2, rootFields: 2, aliases: 2, directives: 1, repeats: 1 }
    requireWithinLimits(parse(text), limits)
    for (const limit of ['operations', 'fields', 'depth', 'rootFields', 'aliases', 'directives', 'repeats'] as const) {
      expect(refusal(text, { ...limits, [limit]: limits[limit] - 1 })).toMatchObject({ limit, found: limits[limit] })
    }
  })
})
