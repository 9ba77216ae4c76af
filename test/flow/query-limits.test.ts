import { once } from 'node:events'
import { buildClientSchema, getIntrospectionQuery } from 'graphql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { askOver, TRANSPORTS, type Transport } from '../support/transports.js'

/** Limits on documents and operations: the same over every transport, and before anything is executed. */

const CREATE = 'createConversation(input: { memberIds: [] }) { conversation { id } }'
/** Costs 1 + n × (2 + m). */
const PAGES = `query ($n: Int, $m: Int = 1) {
  conversations(first: $n) { nodes { members(first: $m) { pageInfo { __typename } } } }
}`

let development: TestConclave
let production: TestConclave
beforeAll(async () => {
  development = await bootConclave({ mode: 'development' })
  production = await bootConclave({}, { NODE_ENV: 'production', QUERY_MAX_COST: '600' })
})
afterAll(async () => {
  await development.close()
  await production.close()
})

const ask = async (transport: Transport, query: string, more: object = {}, conclave = development) =>
  await askOver(transport, conclave.url, await conclave.token('alice'), { query, ...more })

/** What is refused is not executed: alice has begun no conversation. */
async function expectNothingMade(): Promise<void> {
  for (const { database } of [development, production]) {
    expect(await database.query('select 1 from conversations')).toEqual([])
  }
}

describe.each(TRANSPORTS)('over %s, an operation', (transport) => {
  it.each<[string, number, number | null, string, object?]>([
    ['characters', 30_000, 30_001, `mutation { ${CREATE} }`.padEnd(30_001)],
    ['tokens', 1_000, 1_001, `mutation { ${CREATE} } query Q { ${times(1_000, () => 'a')} }`],
    ['operations', 50, 51, `mutation M { ${CREATE} } ${times(50, (n) => `query Q${n} { a }`)}`, { operationName: 'M' }],
    ['fields', 1_000, 5 * 2 ** 8, `mutation { ${CREATE} ...F0 } ${bomb(8)}`],
    ['fields', 1_000, null, `mutation { ${CREATE} ...F } fragment F on Mutation { __typename ...F }`],
    ['depth', 10, 11, `mutation { ${nested(8, CREATE)} }`],
    ['rootFields', 20, 21, `mutation { ${times(21, (n) => `a${n}: ${CREATE}`)} }`],
    [
      'aliases',
      30,
      31,
      `mutation { ${CREATE.replace(
        'id',
        times(31, (n) => `a${n}: id`)
      )} }`
    ],
    ['directives', 50, 51, `mutation { ${CREATE.replace('id', `id ${times(51, () => '@include(if: true)')}`)} }`],
    [
      'repeats',
      50,
      51,
      `mutation { ${CREATE.replace(
        'id',
        times(52, () => 'id')
      )} }`
    ],
    ['cost', 20_000, 20_101, PAGES, { variables: { n: 100, m: 199 } }],
    ['pageSize', 200, 201, PAGES, { variables: { n: 201 } }],
    ['pageSize', 200, 201, PAGES.replace('$m: Int = 1', '$m: Int = 201'), { variables: { n: 1 } }],
    ['pageSize', 200, 201, `mutation { ${CREATE.replace('id', 'members(first: 201) { totalCount }')} }`]
  ])('with too many %s is refused: %d are allowed, and it has %d', async (limit, max, found, query, more) => {
    const { data, errors } = await ask(transport, query, more)
    expect(data).toBeUndefined()
    expect(errors).toMatchObject([{ extensions: { code: 'QUERY_TOO_COMPLEX', limit, max, found } }])
    await expectNothingMade()
  })

  it('is refused over a cost that is configured, and runs where it reaches that', async () => {
    const costing = (m: number) => ask(transport, PAGES, { variables: { n: 1, m } }, production)
    const wide = PAGES.replace('__typename', 'endCursor startCursor hasNextPage')
    expect(await costing(200)).toMatchObject({ data: { conversations: { nodes: [] } } })
    expect(await ask(transport, wide, { variables: { n: 1, m: 149 } }, production)).toMatchObject({ data: {} })
    expect(await ask(transport, wide, { variables: { n: 1, m: 150 } }, production)).toMatchObject({
      errors: [{ extensions: { code: 'QUERY_TOO_COMPLEX', limit: 'cost', max: 600, found: 603 } }]
    })
  })

  it('is held to the cost of each request, also when its document is known', async () => {
    for (let round = 0; round < 3; round++) {
      expect(await ask(transport, PAGES, { variables: { n: 1 } })).toMatchObject({ data: { conversations: {} } })
      expect(await ask(transport, PAGES, { variables: { n: 200, m: 200 } })).toMatchObject({
        errors: [{ extensions: { limit: 'cost' } }]
      })
    }
  })

  it('is refused without a page size, or under a condition that is null', async () => {
    const unbounded = `mutation { ${CREATE.replace('id', 'messages { nodes { id } }')} }`
    const refused = { extensions: { code: 'BAD_USER_INPUT', field: 'first' } }
    expect(await ask(transport, unbounded)).toMatchObject({ errors: [refused] })
    const unclear = `mutation ($if: Boolean = true) { ${CREATE.replace('id', 'id @skip(if: $if)')} }`
    expect(await ask(transport, unclear, { variables: { if: null } })).toMatchObject({
      errors: [{ message: expect.stringContaining('must not be null'), extensions: { code: 'BAD_USER_INPUT' } }]
    })
    await expectNothingMade()
  })

  it('that shares its document with others runs by its name, in production not even so', async () => {
    const query = 'query One { viewer { id } } query Two { viewer { name } }'
    expect(await ask(transport, query, { operationName: 'One' })).toEqual({ data: { viewer: { id: 'alice' } } })
    expect(await ask(transport, query)).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] })
    expect(await ask(transport, query, { operationName: 'One' }, production)).toMatchObject({
      errors: [{ extensions: { code: 'QUERY_TOO_COMPLEX', limit: 'operations', max: 1, found: 2 } }]
    })
  })

  it('for the schema is answered in development, and refused in production', async () => {
    for (const query of ['{ __schema { types { name } } }', '{ __type(name: "Query") { fields { name } } }']) {
      expect((await ask(transport, query)).errors).toBeUndefined()
      const { data, errors } = await ask(transport, query, {}, production)
      expect(data).toBeUndefined()
      expect(errors).toMatchObject([{ message: expect.stringContaining('introspection has been disabled') }])
    }
  })

  it('for the schema is refused where its answer would be without measure, and explorers get all of it', async () => {
    const deep = '{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }'
    expect(await ask(transport, deep)).toMatchObject({
      errors: [{ message: 'Maximum introspection depth exceeded', extensions: { code: 'BAD_USER_INPUT' } }]
    })
    const aliases = times(30, (n) => `a${n}: fields { name type { name } }`)
    const wide = `{ __schema { types { fields { type { ofType { ${aliases} } } } } } }`
    const refused = await ask(transport, wide)
    expect(refused.data).toBeUndefined()
    expect(refused).toMatchObject({ errors: [{ extensions: { code: 'QUERY_TOO_COMPLEX', limit: 'cost' } }] })
    const whole = getIntrospectionQuery({ descriptions: true, schemaDescription: true, inputValueDeprecation: true })
    const { data, errors } = await ask(transport, whole)
    expect(errors).toBeUndefined()
    expect(buildClientSchema(data as never).getQueryType()?.name).toBe('Query')
  })

  it.each([
    ['{ viewr { id } }', {}],
    ['{ viewer { ids } }', {}],
    ['{ node(idd: "x", id: "y") { id } }', {}],
    ['{ node(id: "x") { ... on Usr { id } } }', {}],
    ['{ keyInventory(filter: { states: [ACTIVF] }) { totalCount } }', {}],
    ['query ($f: KeyInventoryFilter) { keyInventory(filter: $f) { totalCount } }', { variables: { f: { state: [] } } }]
  ])('with a mistake, such as %s, is corrected in development and only refused in production', async (query, more) => {
    expect(JSON.stringify(await ask(transport, query, more))).toContain('Did you mean')
    const refused = await ask(transport, query, more, production)
    expect(refused.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }])
    expect(JSON.stringify(refused)).not.toContain('Did you mean')
  })
})

describe('over HTTP', () => {
  it('a refusal has the status 400, and a body that is too large 413', async () => {
    const alice = await development.as('alice')
    const status = async (query: string) => (await alice.post({ query })).status
    expect(await status(`mutation { ${nested(8, CREATE)} }`)).toBe(400)
    expect(await status('{ conversations(first: 201) { totalCount } }')).toBe(400)
    expect(await status(`mutation { ${CREATE} }`.padEnd(1_000_000))).toBe(413)
    await expectNothingMade()
  })

  it('several operations in one request are refused, and none of them runs', async () => {
    const query = `mutation { ${CREATE} }`
    for (const batch of [[{ query }], [{ query }, { query }], []]) {
      const { status, errors } = await (await development.as('alice')).post(batch)
      expect({ status, errors }).toMatchObject({ status: 400, errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] })
    }
    await expectNothingMade()
  })
})

describe('a GET request', () => {
  const PREFLIGHTED = { 'apollo-require-preflight': 'true' }
  const get = async (query: string, headers: Record<string, string>, variables: object = {}) => {
    const parameters = new URLSearchParams({ query, variables: JSON.stringify(variables) })
    const authorization = `Bearer ${await development.token('alice')}`
    const response = await fetch(`${development.url}/graphql?${parameters}`, { headers: { authorization, ...headers } })
    return { status: response.status, ...((await response.json()) as object) }
  }

  it('is for queries only', async () => {
    expect(await get('{ viewer { id } }', PREFLIGHTED)).toEqual({ status: 200, data: { viewer: { id: 'alice' } } })
    for (const query of [`mutation { ${CREATE} }`, 'subscription { messageEvents(conversationId: "x") { cursor } }']) {
      expect(await get(query, PREFLIGHTED)).toMatchObject({
        status: 405,
        errors: [{ extensions: { code: 'BAD_USER_INPUT' } }]
      })
    }
    await expectNothingMade()
  })

  it.each([{}, { 'content-type': 'text/plain' }, { 'content-type': 'application/x-www-form-urlencoded' }])(
    'that a page of another origin could have a browser send is refused: %j',
    async (headers) => {
      const { status, ...body } = await get('{ viewer { id } }', headers as Record<string, string>)
      expect([400, 415]).toContain(status)
      expect(body).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] })
    }
  )

  it('is held to the limits', async () => {
    const refused = { status: 400, errors: [{ extensions: { code: 'QUERY_TOO_COMPLEX' } }] }
    expect(await get(`{ ${nested(11, 'a')} }`, PREFLIGHTED)).toMatchObject(refused)
    expect(await get(PAGES, PREFLIGHTED, { n: 200, m: 200 })).toMatchObject(refused)
  })
})

it('over WebSocket, a message that is too large closes the socket with 1009', async () => {
  const socket = new WebSocket(`${development.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'connection_init', payload: { padding: 'x'.repeat(1_000_000) } }))
  const [code] = await once(socket, 'close')
  expect(code).toBe(1009)
})

function times(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join(' ')
}

/** A selection below so many fields. */
function nested(depth: number, selection: string): string {
  return `${'a { '.repeat(depth)}${selection}${' }'.repeat(depth)}`
}

/** Each fragment spreads the next one twice: the first one, written out, is 5 × 2^length − 4 selections. */
function bomb(length: number): string {
  const fragment = (n: number) => `fragment F${n} on Mutation { a { ...F${n + 1} } b { ...F${n + 1} } }`
  return `${times(length, fragment)} fragment F${length} on Mutation { a }`
}
