import { readFileSync } from 'node:fs'
import {
  executeSync,
  type GraphQLObjectType,
  getIntrospectionQuery,
  getNullableType,
  isListType,
  isObjectType,
  parse,
  validate
} from 'graphql'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config.js'
import { CostLimit, WHOLE_LIST_ITEMS } from '../../../src/graphql/cost-limit.js'
import { createSchema } from '../../../src/graphql/schema.js'

type Variables = Record<string, unknown>

const schema = createSchema({ devToken: true })
const types = Object.values(schema.getTypeMap()).filter(
  (type): type is GraphQLObjectType => isObjectType(type) && !type.name.startsWith('__')
)

function check(max: number, text: string, variables?: Variables, operationName?: string): void {
  const document = parse(text)
  expect(validate(schema, document)).toEqual([])
  new CostLimit({ cost: max, values: 100 }).check({ schema, document, operationName, variableValues: variables })
}

function refusal(max: number, text: string, variables?: Variables, operationName?: string): unknown {
  try {
    check(max, text, variables, operationName)
  } catch (error) {
    return error
  }
  throw new Error('it was not refused')
}

/** What an operation costs, as the refusal by a limit below everything says. */
function costOf(text: string, variables?: Variables, operationName?: string): number {
  return (refusal(-1, text, variables, operationName) as { found: number }).found
}

describe('an operation over the limit', () => {
  it('is refused, and one that reaches it is not', () => {
    const text = '{ conversations(first: 10) { nodes { id } } }'
    expect(costOf(text)).toBe(21)
    check(21, text)
    expect(refusal(20, text)).toMatchObject({
      code: 'QUERY_TOO_COMPLEX',
      message: 'The query has 21 points of cost; 20 are allowed. Ask for less at a time.',
      details: { limit: 'cost', max: 20, found: 21 }
    })
  })

  it.each([
    ['an argument', '{ conversations(first: 201) { nodes { id } } }', {}],
    ['a variable', 'query ($n: Int) { conversations(first: $n) { nodes { id } } }', { n: 201 }],
    ['the default of a variable', 'query ($n: Int = 201) { conversations(first: $n) { nodes { id } } }', {}],
    ['one of two', '{ conversation(id: "x") { messages(last: 1, first: 201) { nodes { id } } } }', {}]
  ])('asks for more than 200 items in a page, by %s', (_, text, variables) => {
    const details = { limit: 'pageSize', max: 200, found: 201, field: 'first' }
    expect(refusal(1e9, text, variables)).toMatchObject({ code: 'QUERY_TOO_COMPLEX', details })
  })

  it.each([
    '{ conversation(id: "x") { messages { nodes { id } } } }',
    '{ conversation(id: "x") { messages(first: null) { nodes { id } } } }',
    'query ($n: Int) { conversation(id: "x") { messages(first: $n, last: $n) { nodes { id } } } }'
  ])('asks for messages without a page size: %s', (text) => {
    for (const variables of [{}, { n: null }]) {
      expect(refusal(1e9, text, variables)).toMatchObject({ code: 'BAD_USER_INPUT', details: { field: 'first' } })
    }
  })
})

describe('the cost', () => {
  it.each<[number, string]>([
    [1 + 1, '{ viewer { id } }'],
    [2 + 2, '{ a: viewer { id } b: viewer { id } }'],
    [1 + 2, '{ viewer { __typename id name } }'],
    [1 + 1, '{ viewer { ...F } } fragment F on User { id __typename }'],
    // Of several types, that which comes to most.
    [1 + 1 + 10, '{ node(id: "x") { id ... on User { name } ... on Conversation { unreadCount } } }'],
    [1 + 20 * (1 + 1), '{ conversations { nodes { id } } }'],
    [1 + 20 * (1 + 1), '{ conversations(first: null) { nodes { id } } }'],
    [1 + (1 + 50 * (1 + 1)), '{ conversation(id: "x") { members { nodes { role } } } }'],
    [1 + (1 + 30 * (1 + (1 + 2))), '{ conversation(id: "x") { messages(last: 30) { edges { cursor node { id } } } } }'],
    [1 + 10 * 10, '{ conversations(first: 10) { totalCount } }'],
    [1 + 5 * 1, '{ keyOperations(first: 5) { id } }'],
    [1 + (1 + 200 * 2), '{ conversation(id: "x") { keys { version state } } }'],
    [1 + (1 + 200 * 1), '{ conversation(id: "x") { keys { __typename } } }'],
    [1 + (1 + 70 * 1), '{ conversation(id: "x") { messages(last: 70) { nodes { id @skip(if: true) } } } }'],
    [1 + (1 + 3 * 2), '{ conversation(id: "x") { keys(last: 3) { version state } } }'],
    [1 + 200 * 2, '{ conversationKeys(conversationId: "x", first: null) { version state } }'],
    [1 + 30 * 2, '{ conversationKeys(conversationId: "x", first: 30) { version state } }'],
    [100 + (1 + WHOLE_LIST_ITEMS * 1), '{ keyHealth { masterKeys { uri } } }'],
    [10_000 + 1, '{ verifyKeyEvents { valid } }'],
    [50 + (1 + 1), 'mutation { createConversation(input: { memberIds: [] }) { conversation { id } } }'],
    [1 + (1 + 1), 'subscription { messageEvents(conversationId: "x") { message { id } } }']
  ])('is %d for %s', (cost, text) => {
    expect(costOf(text)).toBe(cost)
  })

  it('takes page sizes and conditions from variables, and from their defaults', () => {
    const text = `query ($n: Int = 30, $yes: Boolean = true) {
      conversations(first: $n) { nodes { id @include(if: $yes) } totalCount @skip(if: $yes) }
    }`
    expect(costOf(text)).toBe(1 + 30 * 2)
    expect(costOf(text, { n: 10 })).toBe(1 + 10 * 2)
    expect(costOf(text, { n: null })).toBe(1 + 20 * 2)
    expect(costOf(text, { n: 10, yes: false })).toBe(1 + 10 * (1 + 10))
  })

  it('of a page of a page is their product', () => {
    const text =
      'query ($n: Int, $m: Int) { conversations(first: $n) { nodes { members(first: $m) { nodes { role } } } } }'
    expect(costOf(text, { n: 7, m: 11 })).toBe(1 + 7 * (1 + 1 + 11 * 2))
  })

  it('is that of the operation that is executed, and of none where none is', () => {
    const text = 'query A { viewer { id } } query B { conversations(first: 100) { nodes { id } } }'
    expect(costOf(text, {}, 'A')).toBe(2)
    expect(costOf(text, {}, 'B')).toBe(201)
    check(-1, text)
    check(-1, text, {}, 'C')
    check(-1, '{ viewer { id } }', {}, 'C')
  })

  it('is counted again where the same document comes with other variables', () => {
    const document = parse('query ($n: Int) { conversations(first: $n) { nodes { id } } }')
    const limit = new CostLimit({ cost: 100, values: 100 })
    for (let round = 0; round < 2; round++) {
      limit.check({ schema, document, variableValues: { n: 49 } })
      expect(() => limit.check({ schema, document, variableValues: { n: 50 } })).toThrow('101 points')
      limit.check({ schema, document })
    }
  })

  it('leaves out a field that is not executed for its arguments, only as long as they do not fit', () => {
    const document = parse(`mutation ($after: Duration = "P1D") {
      scheduleKeyDestruction(conversationId: "x", version: 1, after: $after) { key { messageCount } }
    }`)
    const limit = new CostLimit({ cost: 11, values: 100 })
    limit.check({ schema, document, variableValues: { after: null } })
    expect(() => limit.check({ schema, document })).toThrow('12 points')
  })

  it.each([undefined, null])('is nothing where a variable is missing, as with %j: nothing is executed', (n) => {
    expect(costOf('query ($n: Int!) { conversations(first: $n) { nodes { id } } }', { n })).toBe(0)
  })

  it.each(['many', 1.5, {}, [200], 2 ** 40])('cannot be told of a variable that does not fit, such as %j', (n) => {
    const text = 'query ($n: Int!) { conversations(first: $n) { nodes { id } } }'
    expect((refusal(1e9, text, { n }) as Error).message).toMatch(/^Variable "\$n" got invalid value …; Int cannot/)
  })

  it('cannot be told where a condition is null', () => {
    const text = 'query ($c: Boolean = true) { conversations(first: 200) { nodes { id @include(if: $c) } } }'
    expect((refusal(1e9, text, { c: null }) as Error).message).toContain('must not be null')
  })
})

describe('what is asked of the schema', () => {
  const everything = { specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, oneOf: true }

  it.each([
    '{ __schema { queryType { name } } }',
    '{ a: __schema { types { name } } b: __schema { types { __typename kind } } }',
    '{ __schema { types { fields { args { type { ofType { enumValues { name } } } } } } } }',
    `{ __schema { types { ...T fields { type { ...T ofType { ...T fields { name } } } } } } }
      fragment T on __Type { ... on __Type { name } possibleTypes { name } interfaces { name } inputFields { name } }`,
    getIntrospectionQuery(),
    getIntrospectionQuery({ ...everything, inputValueDeprecation: true })
  ])('costs as many points as its answer has fields: %s', (text) => {
    const { data } = executeSync({ schema, document: parse(text) })
    expect(costOf(text)).toBe(fieldsOf(data))
  })

  it('costs for one type what it costs for all, and nothing where there is no such field', () => {
    const all = costOf('{ __schema { types { name fields { name } } } }')
    expect(costOf('query ($t: String!) { __type(name: $t) { name fields { name } } }', { t: 'User' })).toBe(all - 1)
    expect(costOf('{ viewer { __typename } }')).toBe(1)
  })

  it('is refused where its answer is long, however short it is itself', () => {
    const aliases = Array.from({ length: 30 }, (_, index) => `a${index}: fields { name type { name } }`).join(' ')
    const text = `{ __schema { types { fields { type { ofType { ${aliases} } } } } } }`
    expect(text.length).toBeLessThan(1500)
    expect(refusal(loadConfig({}).queryLimits.cost, text)).toMatchObject({ details: { limit: 'cost' } })
  })
})

function fieldsOf(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum, item) => sum + fieldsOf(item), 0)
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce((sum, item) => sum + 1 + fieldsOf(item), 0)
}

describe('docs/operations.md', () => {
  const documentation = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')

  it('has an example that costs what it says', () => {
    const [, text = '', cost] = /```graphql\n(.*?)```\n\nThis comes to (\d+):/s.exec(documentation) ?? []
    expect(costOf(text, { id: 'x' })).toBe(Number(cost))
  })

  it('says what it costs to ask for the whole schema', () => {
    const [, points = ''] =
      /The whole schema, as explorers ask for it, comes to about ([\d,]+)/.exec(documentation) ?? []
    const cost = costOf(getIntrospectionQuery({ inputValueDeprecation: true, schemaDescription: true }))
    expect(Math.abs(Number(points.replace(',', '')) - cost)).toBeLessThan(500)
  })

  it('lists every limit, with its default', () => {
    const rows = [...documentation.matchAll(/^\| `QUERY_MAX_\w+` \| `(\d+)`[^|]*\| `(\w+)` \|/gm)]
    const listed = Object.fromEntries(rows.map(([, value, limit = '']) => [limit, Number(value)]))
    const { queryLimits } = loadConfig({})
    // In production, of which one line says more, it is 1.
    expect(listed).toEqual({ ...queryLimits, operations: 1 })
  })

  it('lists the weights of the schema', () => {
    const weights = types.flatMap((type) =>
      Object.values(type.getFields()).flatMap(({ name, extensions: { complexity } }) =>
        typeof complexity === 'number' ? `${name} ${complexity}` : []
      )
    )
    const listed = [...documentation.matchAll(/^\| (`.*`) \| ([\d,]+) \|$/gm)].flatMap(([, fields = '', weight = '']) =>
      [...fields.matchAll(/`(\w+)`/g)].map(([, field]) => `${field} ${weight.replace(',', '')}`)
    )
    expect(listed.sort()).toEqual([...new Set(weights)].sort())
  })
})

describe('the schema', () => {
  it('has for every field with a page size one that it has where none is given, or refuses that', () => {
    const none = types.flatMap((type) =>
      Object.values(type.getFields()).flatMap(({ name, args, extensions }) => {
        const sizes = args.filter((arg) => arg.name === 'first' || arg.name === 'last')
        const hasOne = 'itemsWithoutSize' in extensions || sizes.some(({ defaultValue }) => defaultValue != null)
        return sizes.length === 0 || hasOne ? [] : [`${type.name}.${name}`]
      })
    )
    expect(none).toEqual(['Conversation.messages'])
  })

  it('has a page size for every list that grows; master keys, the days of a month and the ids of an event come whole', () => {
    const whole: string[] = []
    for (const type of types) {
      for (const field of Object.values(type.getFields())) {
        const isPaged = field.args.some(({ name }) => name === 'first')
        const returned = getNullableType(field.type)
        if (String(returned).endsWith('Connection')) expect(isPaged, `${type.name}.${field.name}`).toBe(true)
        if (isListType(returned) && !isPaged && !('pageInfo' in type.getFields())) {
          whole.push(`${type.name}.${field.name}`)
        }
      }
    }
    expect(whole.sort()).toEqual([
      'DueRotations.days',
      'KeyHealth.masterKeys',
      'MembershipEvent.joined',
      'MembershipEvent.left',
      'MembershipEvent.read'
    ])
  })
})
