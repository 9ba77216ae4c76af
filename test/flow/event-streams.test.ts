import { SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  DeleteConversationDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  MessageEventsDocument,
  type MessageEventsSubscription,
  RemoveMemberDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { brief, createConversation, eventCursor, readBack, send } from '../support/chat.js'
import { EventStreamClient, type StreamedResults } from '../support/event-streams.js'
import type { GraphQLClient } from '../support/graphql-client.js'

/** Operations over graphql-sse: the same, and the same refusals, as over HTTP and WebSocket. */

let conclave: TestConclave
let alice: GraphQLClient
const clients: EventStreamClient[] = []

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
})
afterEach(() => {
  vi.restoreAllMocks()
  for (const client of clients.splice(0)) client.close()
})
afterAll(() => conclave.close())

describe('a request for an event stream', () => {
  it.each(['nonsense', 'expired', 'of another secret'])('with a token that is %s is refused with 401', async (kind) => {
    const response = await post({ query: '{ viewer { id } }' }, { authorization: `Bearer ${await badToken(kind)}` })
    expect(response).toMatchObject({ status: 401, errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] })
  })

  it.each([
    ['no query', {}, 400],
    ['a query that is not a text', { query: {} }, 400],
    ['variables that are not an object', { query: '{ viewer { id } }', variables: [1] }, 400],
    ['no JSON', '{', 400],
    ['more bytes than a request may have', { query: '{ viewer { id } }', padding: 'x'.repeat(600_000) }, 413]
  ])('with %s is refused with a code of the list', async (_, body, status) => {
    expect(await post(body)).toEqual({
      status,
      errors: [{ message: expect.any(String), extensions: { code: 'BAD_USER_INPUT' } }]
    })
  })

  it('that asks for another form of answer, or is not a POST, is told what to do', async () => {
    expect(await post({ query: '{ viewer { id } }' }, { accept: 'application/json' })).toMatchObject({ status: 406 })
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const response = await fetch(`${conclave.url}/graphql/stream?query={viewer{id}}`, { method })
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
      expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] })
    }
  })

  it('that cannot be admitted for a failure of our own is answered with INTERNAL, and nothing more', async () => {
    vi.spyOn(conclave.services.users, 'see').mockRejectedValue(new Error('insert into "users", password hunter2'))
    const response = await post(
      { query: '{ viewer { id } }' },
      { authorization: `Bearer ${await conclave.token('x')}` }
    )
    expect(response).toEqual({
      status: 500,
      errors: [{ message: 'Something went wrong on our side. Try again.', extensions: { code: 'INTERNAL' } }]
    })
  })
})

describe('an operation over an event stream', () => {
  it.each([
    '{ viewer { id name } }',
    '{ conversations(first: 0) { totalCount } }',
    '{ nonsense }',
    '{',
    'query One { viewer { id } } query Two { viewer { id } }',
    'query ($n: Int!) { conversations(first: $n) { totalCount } }',
    'mutation { sendMessage(input: { conversationId: "x", body: "hello" }) { message { id } } }',
    'mutation { createConversation(input: { memberIds: ["bob"] }) { conversation { title } } }'
  ])('%s gives what it gives over HTTP', async (query) => {
    for (const token of [await conclave.token('alice'), null]) {
      const { status: _, ...overHttp } = await (token ? alice : conclave.anonymous()).post({ query })
      expect(await connect(token).all({ query })).toEqual([overHttp])
    }
  })

  it('that subscribes without a token, to what one is not in, or with a wrong cursor is refused', async () => {
    const id = await createConversation(alice, ['bob'])
    const subscribe = async (user: string | null, after: string | null = null) => {
      const client = connect(user && (await conclave.token(user)))
      return await client.subscribe(MessageEventsDocument, { conversationId: id, after }).end()
    }
    expect(await subscribe(null)).toEqual(['UNAUTHENTICATED'])
    expect(await subscribe('mallory')).toEqual(['NOT_FOUND'])
    expect(await subscribe('bob', 'made up')).toEqual(['BAD_USER_INPUT'])
  })
})

describe('in production, over an event stream', () => {
  let production: TestConclave
  beforeAll(async () => {
    production = await bootConclave({ mode: 'production' })
  })
  afterAll(() => production.close())

  it.each(['{ __schema { types { name } } }', '{ __type(name: "Query") { name } }', '{ viewr { id } }'])(
    '%s is refused as over HTTP, and no name of the schema is suggested',
    async (query) => {
      const { status: _, ...overHttp } = await (await production.as('alice')).post({ query })
      const results = await new EventStreamClient(production.url, await production.token('alice')).all({ query })
      expect(results).toEqual([overHttp])
      const codes = results[0]?.errors?.map(({ extensions }) => extensions.code)
      expect(new Set(codes)).toEqual(new Set(['BAD_USER_INPUT']))
      expect(JSON.stringify(results)).not.toContain('Did you mean')
    }
  )
})

describe('a conversation that is followed over an event stream', () => {
  it('ends with FORBIDDEN for a member who is removed, before the next message', async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(id)
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    await send(alice, id, 'without Bob')
    expect(await events.end()).toEqual(['FORBIDDEN'])
  })

  it('ends with UNAUTHENTICATED when the token expires', async () => {
    const id = await createConversation(alice, ['bob'])
    const events = follow(id, null, await tokenOfOneSecond('bob'))
    expect(await events.end()).toEqual(['UNAUTHENTICATED'])
  })

  it('ends with INTERNAL, and nothing more, after a failure of our own', async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(id)
    const failure = new Error('select "body" from "messages", password hunter2')
    vi.spyOn(conclave.services.database, 'run').mockRejectedValue(failure)
    conclave.services.signals.publish(`conversation:${id}`)
    expect(await events.end()).toEqual(['INTERNAL'])
  })

  it('completes when the conversation is deleted', async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(id)
    await alice.run(DeleteConversationDocument, { conversationId: id })
    expect(await events.end()).toBeNull()
  })

  it('gives what is sent, edited and deleted, in order', async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(id)
    const message = await send(alice, id, 'first')
    const seen = [await events.next()]
    await alice.run(EditMessageDocument, { messageId: message.id, body: 'first, edited' })
    seen.push(await events.next())
    await alice.run(DeleteMessageDocument, { messageId: message.id })
    seen.push(await events.next())
    expect(seen.map(brief)).toEqual(['SENT first', 'EDITED first, edited', 'DELETED null'])
  })

  it('goes on from any cursor in a chain, without a gap or a repetition', async () => {
    const id = await createConversation(alice, ['bob'])
    let after = await eventCursor(alice, id)
    for (let index = 0; index < 9; index++) await send(alice, id, `message ${index}`)
    const received: string[] = []
    for (let link = 0; link < 3; link++) {
      const events = follow(id, after, await conclave.token('bob'))
      const batch = await events.take(3)
      await events.stop()
      received.push(...batch.map(({ messageEvents }) => messageEvents.message.body ?? ''))
      after = batch.at(-1)?.messageEvents.cursor ?? ''
    }
    expect(received).toEqual((await readBack(alice, id)).map(({ body }) => body))
  })
})

async function post(body: object | string, headers: Record<string, string> = {}): Promise<{ status: number }> {
  const response = await fetch(`${conclave.url}/graphql/stream`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body)
  })
  return { status: response.status, ...((await response.json()) as object) }
}

function connect(token: string | null): EventStreamClient {
  const client = new EventStreamClient(conclave.url, token)
  clients.push(client)
  return client
}

function follow(id: string, after: string | null, token: string): StreamedResults<MessageEventsSubscription> {
  return connect(token).subscribe(MessageEventsDocument, { conversationId: id, after })
}

/** Bob's subscription, once it is seen to be live. */
async function followLive(id: string): Promise<StreamedResults<MessageEventsSubscription>> {
  const events = follow(id, await eventCursor(alice, id), await conclave.token('bob'))
  await send(alice, id, 'live?')
  expect(brief(await events.next())).toBe('SENT live?')
  return events
}

async function badToken(kind: string): Promise<string> {
  if (kind === 'nonsense') return 'not.a.token'
  const seconds = Math.floor(conclave.clock.now().getTime() / 1000)
  return kind === 'expired' ? await sign('alice', seconds - 1) : await sign('alice', seconds + 60, 'x'.repeat(32))
}

/** Up to two: the end is given in whole seconds. */
async function tokenOfOneSecond(userId: string): Promise<string> {
  return await sign(userId, Math.ceil(conclave.clock.now().getTime() / 1000) + 1)
}

async function sign(
  userId: string,
  expiresAt: number,
  secret = conclave.services.authentication.jwtSecret
): Promise<string> {
  const token = new SignJWT({}).setSubject(userId).setExpirationTime(expiresAt).setProtectedHeader({ alg: 'HS256' })
  return await token.sign(new TextEncoder().encode(secret))
}
