import { randomUUID } from 'node:crypto'
import { buildSchema } from 'graphql'
import { createClient } from 'graphql-ws'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import WebSocket from 'ws'
import {
  CreateConversationDocument,
  KeyHealthDocument,
  RotateKeyDocument,
  SendMessageDocument,
  SetTypingDocument
} from '../../documents/generated.js'
import { limitMutations } from '../../src/graphql/limited-mutations.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { hasRedis, RedisServer } from '../support/redis.js'
import { StatementCounter } from '../support/statement-counter.js'
import { askOver, TRANSPORTS } from '../support/transports.js'

const LIMITS = {
  RATE_LIMITS: 'on',
  RATE_LIMIT_SENDS: '3/PT1M',
  RATE_LIMIT_CREATES: '4/PT1M',
  RATE_LIMIT_KEY_OPERATIONS: '2/PT1M',
  RATE_LIMIT_CONNECTIONS: '2/PT1M',
  RATE_LIMIT_REFUSALS: '3/PT1M'
}
const REFUSED = { code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) }

let conclave: TestConclave
let alice: GraphQLClient
let id: string

beforeAll(async () => {
  conclave = await bootConclave({}, LIMITS)
})
beforeEach(async () => {
  conclave.clock.advance(60_000)
  alice = await conclave.as('alice')
  id = await createConversation(alice, [])
})
afterAll(() => conclave.close())

async function codesOf(results: Promise<{ errors?: { extensions: object }[] }>[]): Promise<(object | null)[]> {
  return (await Promise.all(results)).map(({ errors }) => errors?.[0]?.extensions ?? null)
}

const send = (client: GraphQLClient, conversationId = id) =>
  client.execute(SendMessageDocument, {
    input: { conversationId, body: 'often', clientMessageId: randomUUID() }
  })

describe('a user who does something too often is refused', () => {
  it('messages, and may send again after the time that the refusal names', async () => {
    const results = await codesOf([send(alice), send(alice), send(alice), send(alice)])
    const [refusal] = results.filter((extensions) => extensions !== null) as { retryAfterMs: number }[]
    expect(results.filter((extensions) => extensions === null)).toHaveLength(3)
    expect(refusal).toEqual(REFUSED)
    conclave.clock.advance((refusal?.retryAfterMs ?? 0) - 1)
    expect(await codesOf([send(alice)])).toEqual([REFUSED])
    conclave.clock.advance(1)
    expect(await codesOf([send(alice)])).toEqual([null])
  })

  it('conversations', async () => {
    const create = () => alice.execute(CreateConversationDocument, { input: { memberIds: [] } })
    expect((await codesOf([create(), create(), create(), create()])).filter(Boolean)).toEqual([REFUSED])
  })

  it('rotations', async () => {
    const rotate = () => alice.execute(RotateKeyDocument, { conversationId: id })
    expect((await codesOf([rotate(), rotate(), rotate()])).filter(Boolean)).toEqual([REFUSED])
  })

  it('questions about keys that were refused, which are then recorded no more', async () => {
    const refusals = async () => {
      const text = `select from key_events where action = 'operation.refused' and actor = 'curious'`
      return (await conclave.database.query(text)).length
    }
    const curious = await conclave.as('curious')
    const ask = () => curious.execute(KeyHealthDocument)
    const codes = await codesOf([ask(), ask(), ask(), ask()])
    expect(codes.filter((code) => (code as { code: string }).code === 'FORBIDDEN')).toHaveLength(2)
    expect(codes.filter((code) => (code as { code: string }).code === 'RATE_LIMITED')).toEqual([REFUSED, REFUSED])
    expect(await refusals()).toBe(2)
  })

  it('over WebSocket as over HTTP, from the same bucket', async () => {
    for (let count = 0; count < 3; count++) await send(alice)
    const query = `mutation { sendMessage(input: { conversationId: "${id}", body: "more" }) { message { id } } }`
    const socket = createClient({
      url: `${conclave.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${await conclave.token('alice')}` }
    })
    const { value } = await socket.iterate({ query }).next()
    await socket.dispose()
    expect((value as { errors: { extensions: object }[] }).errors[0]?.extensions).toEqual(REFUSED)
  })

  it('and nobody else is', async () => {
    const bob = await conclave.as('bob')
    const other = await createConversation(bob, [])
    for (let count = 0; count < 4; count++) await send(alice)
    expect(await codesOf([send(bob, other)])).toEqual([null])
  })
})

describe('an address', () => {
  it('that many users come from is refused when together they do twenty times what one may', async () => {
    const users = await Promise.all(Array.from({ length: 23 }, (_, index) => conclave.as(`crowd-${index}`)))
    const create = (user: GraphQLClient) => user.execute(CreateConversationDocument, { input: { memberIds: [] } })
    const each = users.flatMap((user) => [create(user), create(user), create(user), create(user)])
    // One was made before each test.
    expect((await codesOf(each)).filter(Boolean)).toHaveLength(23 * 4 - 79)
  })

  it('that asks for event streams too often gets 429, and when to try again, with any token or none', async () => {
    const tokens = await Promise.all([conclave.token('stranger'), conclave.token('another')])
    const first = [...tokens.map((token) => `Bearer ${token}`), 'Bearer of nobody', undefined]
    // Of the forty that twenty times two come to.
    const statuses = [
      await Promise.all(first.map(openStream)),
      await Promise.all(Array.from({ length: 36 }, () => openStream()))
    ]
    expect(statuses.map((answers) => answers.map(({ status }) => status))).toEqual([
      [200, 200, 401, 200],
      Array.from({ length: 36 }, () => 200)
    ])
    for (const authorization of first) {
      const refused = await openStream(authorization)
      expect(refused.status).toBe(429)
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    }
  })
})

describe('a user', () => {
  it('who opens event streams too often gets 429, and when to try again', async () => {
    const authorization = `Bearer ${await conclave.token('alice')}`
    const answers = [await openStream(authorization), await openStream(authorization), await openStream(authorization)]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429])
    expect(Number(answers[2]?.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})

describe('a user whose documents were refused too often', () => {
  const GOOD = '{ viewer { id } }'

  it.each<[string, object]>([
    ['of fields that there are not', { query: '{ nothing }' }],
    ['that are no GraphQL', { query: '{' }],
    ['over a limit', { query: `{ viewer { ${'id '.repeat(600)} } }` }],
    [
      'whose variables are no values of their types',
      { query: 'query ($n: Int) { conversations(first: $n) { totalCount } }', variables: { n: 'x' } }
    ],
    [
      'whose variables make them cost too much',
      {
        query: 'query ($n: Int) { conversations(first: $n) { nodes { members(first: $n) { nodes { role } } } } }',
        variables: { n: 200 }
      }
    ]
  ])('has the next one refused without a look at it: documents %s', async (kind, bad) => {
    const token = await conclave.token(`sender of documents ${kind}`)
    for (let count = 0; count < 3; count++) {
      expect(await ask(bad, token)).toMatchObject({ status: 400, codes: [expect.not.stringContaining('RATE_LIMITED')] })
    }
    const refused = await ask({ query: GOOD }, token)
    expect(refused).toMatchObject({ status: 429, codes: ['RATE_LIMITED'] })
    conclave.clock.advance(Number(refused.retryAfter) * 1000)
    expect(await ask({ query: GOOD }, token)).toMatchObject({ status: 200, codes: [] })
  })

  it.each(TRANSPORTS)('is refused over every transport for what has come over one: %s', async (transport) => {
    const token = await conclave.token(`sender over ${transport}`)
    const asked = async (query: string) => await askOver(transport, conclave.url, token, { query })
    expect((await asked('{ nothing }')).errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT' })
    for (let count = 0; count < 2; count++) await ask({ query: '{' }, token)
    expect((await asked(GOOD)).errors?.[0]?.extensions).toEqual(REFUSED)
    expect(await ask({ query: GOOD }, token)).toMatchObject({ status: 429 })
  })

  it('may have asked for hashes that are not known: they are no refusals', async () => {
    const token = await conclave.token('sender of hashes')
    const unknown = (count: number) => ({
      extensions: { persistedQuery: { version: 1, sha256Hash: String(count).padStart(64, '0') } }
    })
    for (let count = 0; count < 5; count++) await ask(unknown(count), token)
    expect(await ask({ query: GOOD }, token)).toMatchObject({ status: 200, codes: [] })
  })
})

async function ask(request: object, token: string) {
  const response = await fetch(`${conclave.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(request)
  })
  const { errors = [] } = (await response.json()) as { errors?: { extensions: { code: string } }[] }
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    codes: errors.map(({ extensions }) => extensions.code)
  }
}

let claimed = 0
/** Each says that it comes from somewhere else, which no proxy vouches for. */
async function openStream(authorization?: string): Promise<Response> {
  const headers = {
    'x-forwarded-for': `203.0.113.${claimed++ % 250}`,
    'content-type': 'application/json',
    accept: 'text/event-stream',
    ...(authorization && { authorization })
  }
  const body = JSON.stringify({ query: '{ viewer { id } }' })
  return await fetch(`${conclave.url}/graphql/stream`, { method: 'POST', headers, body })
}

describe('what each mutation counts as', () => {
  it('is said for all of them: a schema with one that is forgotten is refused', () => {
    const forgotten = buildSchema('type Query { a: Int } type Mutation { setTyping: Int forgotten: Int }')
    expect(() => limitMutations(forgotten)).toThrow('say in limited-mutations.ts what forgotten counts as')
  })

  it('is nothing for typing, which has a limit of its own', async () => {
    for (let count = 0; count < 4; count++) await send(alice)
    expect((await codesOf(Array.from({ length: 10 }, tell))).filter(Boolean)).toEqual([])
    expect(await codesOf([tell()])).toEqual([REFUSED])
    conclave.clock.advance(500)
    expect(await codesOf([tell()])).toEqual([null])
  })
})

describe('typing that is refused', () => {
  let counter: StatementCounter
  beforeAll(() => {
    counter = new StatementCounter()
  })
  afterAll(() => counter.close())

  it('too often in one conversation costs no statement', async () => {
    for (let count = 0; count < 10; count++) await tell()
    const { result, statements } = await counter.during(() => codesOf(Array.from({ length: 20 }, tell)))
    expect(result).toEqual(Array.from({ length: 20 }, () => REFUSED))
    expect(statements).toEqual([])
  })

  it('too often in conversations that there are not costs no statement either', async () => {
    const tellNobody = () => alice.execute(SetTypingDocument, { conversationId: randomUUID(), typing: true })
    const before = await counter.during(() => codesOf(Array.from({ length: 100 }, tellNobody)))
    expect(before.statements).toHaveLength(100)
    const { result, statements } = await counter.during(() => codesOf([tellNobody(), tellNobody(), tell()]))
    expect(result).toEqual([REFUSED, REFUSED, REFUSED])
    expect(statements).toEqual([])
  })
})

const tell = () => alice.execute(SetTypingDocument, { conversationId: id, typing: true })

describe.skipIf(!hasRedis)('two processes with one Redis', () => {
  let redis: RedisServer
  let first: TestConclave
  let second: TestConclave
  const sendsOf = (process: TestConclave, user: string) =>
    process.services.rateLimits.require('SENDS', { id: user }, null)

  beforeAll(async () => {
    redis = await RedisServer.start()
    const variables = { ...LIMITS, REDIS_URL: redis.url }
    first = await bootConclave({}, variables)
    second = await bootConclave({}, variables)
    // Until it is connected, each counts for itself.
    for (const process of [first, second]) await untilCountedIn(redis, () => sendsOf(process, randomUUID()))
  })
  afterEach(async () => await redis.start())
  afterAll(async () => {
    await first.close()
    await second.close()
    await redis.stop()
  })

  it('count together', async () => {
    await sendsOf(first, 'alice')
    await sendsOf(second, 'alice')
    await sendsOf(first, 'alice')
    await expect(sendsOf(second, 'alice')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  })

  it('count for themselves while it is away, and refuse nobody for it', async () => {
    await redis.kill()
    for (const process of [first, second]) {
      for (let count = 0; count < 3; count++) await sendsOf(process, 'bob')
      await expect(sendsOf(process, 'bob')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    }
  })
})

/** Each try is somebody else's, and leaves a bucket of its own. */
async function untilCountedIn(redis: RedisServer, take: () => Promise<void>): Promise<void> {
  const client = new Redis(redis.url)
  const before = await client.dbsize()
  await vi.waitFor(async () => {
    await take()
    expect(await client.dbsize()).toBeGreaterThan(before)
  })
  client.disconnect()
}
