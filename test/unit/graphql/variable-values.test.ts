import { buildSchema, getOperationAST, parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import { QueryTooComplex } from '../../../src/errors.js'
import { requireFittingVariables } from '../../../src/graphql/variable-values.js'

const schema = buildSchema(`
  input Filter { names: [String!], inner: Filter, many: Int }
  type Query { found(filter: Filter, count: Int!): Int }`)
const document = parse('query ($filter: Filter, $count: Int!) { found(filter: $filter, count: $count) }')
const check = (variables: Record<string, unknown>, max = 10) => {
  const operation = getOperationAST(document)
  if (!operation) throw new Error('there is one')
  requireFittingVariables(schema, operation, variables, max)
}

describe('variables', () => {
  it('with more values than are allowed are refused, wherever they are', () => {
    const error = new QueryTooComplex('values', 3, 4)
    expect(() => check({ count: 1, a: 2, b: 3, c: 4 }, 3)).toThrow(error)
    expect(() => check({ filter: { names: ['a', 'b'] } }, 3)).toThrow(error)
    expect(() => check({ filter: { inner: { inner: { many: 1 } } } }, 3)).toThrow(error)
    expect(error.details).toEqual({ limit: 'values', max: 3, found: 4 })
  })

  it.each<[string, Record<string, unknown>, string]>([
    [
      'an item',
      { filter: { names: ['a', 1, 2] } },
      ' at "filter.names[1]"; String cannot represent a non string value: 1'
    ],
    ['a member', { filter: { inner: { other: 1, another: 2 } } }, ' at "filter.inner"; Field "other" is not defined'],
    ['the whole', { count: 'secret' }, '; Int cannot represent non-integer value: "secret"']
  ])('are refused for the first that does not fit: %s', (_, variables, words) => {
    const name = Object.keys(variables)[0]
    expect(() => check(variables)).toThrow(`Variable "$${name}" got invalid value …${words}`)
  })

  it('are refused in a moment, however much of them is wrong', () => {
    const wrong = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`k${n}`, 1]))
    const refusal = (() => {
      try {
        return check({ filter: wrong }, 100_000)
      } catch (error) {
        return error as Error
      }
    })()
    expect(refusal?.message).toHaveLength(
      'Variable "$filter" got invalid value …; Field "k0" is not defined by type "Filter".'.length
    )
  })

  it('that fit, are null or missing are left to the engine', () => {
    for (const variables of [{ count: 1 }, { filter: null }, {}, { filter: { names: 'one' }, count: null }])
      check(variables)
  })
})
