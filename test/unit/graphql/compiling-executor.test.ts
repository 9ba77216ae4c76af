import { setImmediate } from 'node:timers/promises'
import { buildSchema, type ExecutionArgs, type ExecutionResult, execute, type GraphQLResolveInfo, parse } from 'graphql'
import * as jit from 'graphql-jit'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { CompilingExecutor } from '../../../src/graphql/compiling-executor.js'

vi.mock('graphql-jit', { spy: true })

const schema = buildSchema(`
  type Query { thing(how: [How!], id: ID): Thing, things(count: Int!): [Thing!]!, bare: Thing!, any: Any, node: Node
    required(id: ID! = "x"): String, nested(in: Nested): String }
  type Mutation { first: Thing, second: Thing! }
  type Thing implements Node { id: ID!, text(upper: Boolean): String, size: Int!, must: Thing!, may: Thing, list: [Thing], colour: Colour }
  interface Node { id: ID! }
  union Any = Thing
  enum Colour { RED GREEN }
  input How { size: Int!, colour: Colour = GREEN, where: Where }
  input Where { place: String! }
  input Nested { in: [Nested] }
`)

/** Fails, is missing or waits by the path of the field: the same whoever executes it. */
function resolve(_: unknown, args: Record<string, unknown>, fates: Record<string, unknown>, info: GraphQLResolveInfo) {
  const path = pathOf(info.path)
  const fate = path in fates ? fates[path] : fates[info.fieldName]
  if (fate instanceof Promise) return fate.then((value) => value)
  if (typeof fate === 'function') return fate(args)
  if (fate !== undefined) return fate
  if (/thing|must|may|bare|first|second|any|node/.test(info.fieldName) && info.fieldName !== 'things')
    return setImmediate({ __typename: 'Thing' })
  if (info.fieldName === 'things') return Array.from({ length: Number(args.count) }, () => ({}))
  if (info.fieldName === 'list') return [{}, setImmediate({}), null]
  if (info.fieldName === 'size') return 7
  return info.fieldName === 'colour' ? 'RED' : JSON.stringify([path, args])
}

function pathOf(path: GraphQLResolveInfo['path'] | undefined): string {
  return path ? [pathOf(path.prev), path.key].filter((part) => part !== '').join('.') : ''
}

for (const name of ['Query', 'Mutation', 'Thing'] as const) {
  const type = schema.getType(name)
  if (type && 'getFields' in type)
    for (const field of Object.values(type.getFields())) Object.assign(field, { resolve })
}

let executor: CompilingExecutor
beforeEach(() => {
  vi.clearAllMocks()
  executor = new CompilingExecutor()
})

/** The result of the third time, when it is compiled if it ever is, and that of the reference implementation. */
async function both(text: string, variableValues: Record<string, unknown> = {}, fates: () => object = () => ({})) {
  const document = parse(text)
  const args = (): ExecutionArgs => ({ schema, document, variableValues, contextValue: fates() })
  for (let count = 0; count < 2; count++) await executor.execute(args())
  return { ours: plain(await executor.execute(args())), theirs: plain(await execute(args())) }
}

function plain({ data, errors = [] }: ExecutionResult) {
  const found = errors.map(({ message, path, locations }) => ({ message, path, locations }))
  return JSON.parse(JSON.stringify({ data, errors: found.sort((a, b) => (String(a.path) < String(b.path) ? -1 : 1)) }))
}

const isCompiled = () => vi.mocked(jit.compileQuery).mock.calls.length > 0
const later = (value: unknown) => () => setImmediate(value)
const fails = (message: string) => () => {
  throw new Error(message)
}
const failsLater = (message: string) => async () => {
  await setImmediate()
  throw new Error(message)
}

describe('what graphql-jit does otherwise is not compiled:', () => {
  it.each([
    ['an interface', '{ node { id } }'],
    ['a union', '{ any { __typename } }'],
    ['a fragment of an interface', '{ bare { ...F } } fragment F on Node { id }'],
    ['a directive', 'query ($a: Boolean!) { bare { id @skip(if: $a) size } }'],
    ['a default of a variable', 'query ($n: Int = 1) { things(count: $n) { id } }'],
    ['a default of a required argument', 'query ($id: ID) { required(id: $id) }'],
    ['an input that contains itself', 'query ($in: Nested) { nested(in: $in) }'],
    ['the schema', '{ __schema { queryType { name } } }'],
    ['fragments that multiply', manyFragments()],
    ['201 fields', `{ bare { ${aliases(200)} } }`]
  ])('%s', async (_, text) => {
    const variables = { a: true, id: null, n: null }
    const { ours, theirs } = await both(text, variables)
    expect(ours).toEqual(theirs)
    expect(isCompiled()).toBe(false)
  })

  it('an operation that is not there', async () => {
    const document = parse('query A { bare { id } } query B { bare { size } }')
    const [error] = (await executor.execute({ schema, document, operationName: 'C' })).errors ?? []
    expect(error?.message).toBe('Unknown operation named "C".')
  })

  it('an operation that came once', async () => {
    await executor.execute({ schema, document: parse('{ bare { id } }'), contextValue: {} })
    expect(isCompiled()).toBe(false)
  })
})

describe('compiled, an operation', () => {
  it.each([
    [
      'of fields, lists, fragments and arguments',
      '{ b: bare { ...F, list { id } } thing(how: [{ size: 1 }]) { ... on Thing { text(upper: true) colour __typename } } } fragment F on Thing { id may { size } }',
      {}
    ],
    [
      'with variables',
      'query ($how: [How!], $count: Int!) { thing(how: $how) { id } things(count: $count) { text } }',
      { how: { size: 2, where: { place: 'here' }, colour: 'RED' }, count: 3 }
    ],
    ['with variables left out', 'query ($how: [How!], $id: ID) { thing(how: $how, id: $id) { text } }', {}],
    [
      'with variables that are null',
      'query ($how: [How!], $id: ID) { thing(how: $how, id: $id) { text } }',
      { how: null, id: null }
    ],
    ['of a mutation', 'mutation { first { id } second { text } }', {}],
    ['of 200 fields', `{ bare { ${aliases(199)} } }`, {}]
  ])('%s gives what the reference implementation gives', async (_, text, variables) => {
    const { ours, theirs } = await both(text, variables, () => ({
      text: ({ upper }: { upper?: boolean }) => `${upper}`
    }))
    expect(ours).toEqual(theirs)
    expect(ours).toMatchObject({ data: expect.any(Object), errors: [] })
    expect(isCompiled()).toBe(true)
  })

  it.each([
    ['is missing', 'query ($n: Int!) { things(count: $n) { id } }', {}],
    ['has another type', 'query ($n: Int!) { things(count: $n) { id } }', { n: '1' }],
    ['lacks a field', 'query ($how: [How!]) { thing(how: $how) { id } }', { how: [{}] }],
    ['has a field too many', 'query ($how: [How!]) { thing(how: $how) { id } }', { how: [{ size: 1, weight: 1 }] }]
  ])('with a variable that %s is refused in the same words', async (_, text, variables) => {
    const { ours, theirs } = await both(text, variables)
    expect(ours).toEqual(theirs)
    expect(ours.errors).toHaveLength(1)
    expect(isCompiled()).toBe(true)
  })

  it.each([
    ['a failure', { 'bare.text': fails('no') }],
    ['a later failure', { 'bare.text': failsLater('no') }],
    ['an error for a value', { 'bare.text': () => new Error('no') }],
    ['null where it must not be', { 'bare.may.size': () => null }],
    ['null, later, where it must not be', { 'bare.may.size': later(null) }],
    ['a failure in a list', { 'bare.list.1.size': failsLater('no') }],
    ['an error for an item of a list', { 'bare.list': () => [new Error('no'), {}] }],
    ['a value that does not fit', { 'bare.size': () => 'seven' }],
    ['a value that is none of an enum', { 'bare.colour': () => 'BLUE' }],
    ['a failure that reaches the root', { 'bare.size': failsLater('no') }]
  ])('with %s reports the same', async (_, fates) => {
    const text = '{ bare { text size colour may { size } list { size } } }'
    const { ours, theirs } = await both(text, {}, () => fates)
    expect(ours).toEqual(theirs)
    expect(ours.errors).toHaveLength(1)
    expect(isCompiled()).toBe(true)
  })

  it('keeps what a resolver threw, for the code of its error', async () => {
    const document = parse('{ bare { text } }')
    const thrown = new Error('no')
    const args = { schema, document, contextValue: { text: () => Promise.reject(thrown) } }
    for (let count = 0; count < 3; count++) {
      const { errors } = await executor.execute(args)
      expect(errors?.[0]?.originalError).toBe(thrown)
    }
  })
})

const aliases = (count: number) => Array.from({ length: count }, (_, index) => `a${index}: id`).join(' ')

/** Twelve fragments, each of which spreads the next one twice: 4,096 fields when they are written out. */
function manyFragments(): string {
  const spread = (index: number) =>
    `fragment F${index} on Thing { a: may { ...F${index + 1} } b: may { ...F${index + 1} } }`
  const fragments = Array.from({ length: 12 }, (_, index) => spread(index))
  return `{ may: bare { id } ...Q } fragment Q on Query { thing { ...F0 } } ${fragments.join(' ')} fragment F12 on Thing { id }`
}
