import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  AddMembersDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  RemoveMemberDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import { codeBlocks, DocumentedClient } from '../support/documented-client.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { TcpProxy } from '../support/tcp-proxy.js'

/** docs/clients.md is tried: its files are run as they stand, with the real libraries, over a network that fails. */

let conclave: TestConclave
let alice: GraphQLClient
let proxy: TcpProxy
let client: DocumentedClient
let id: string

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
})
afterAll(() => conclave.close())

const HOUR_MS = 60 * 60 * 1000
/** Tokens are given for so long. */
const TOKEN_MS = 12 * HOUR_MS
const SHARED = ['conclave.mjs', 'socket.mjs', 'fetch.mjs', 'example.mjs', 'inbox-example.mjs']
const FILES = ['with-graphql-ws.mjs', 'with-apollo-client.mjs', 'with-urql.mjs', 'with-graphql-sse.mjs']

describe('docs/clients.md', () => {
  it('has the four clients, and what they share', () => {
    expect([...codeBlocks().keys()].sort()).toEqual([...SHARED, ...FILES].sort())
  })
})

describe.each(FILES)('%s', (file) => {
  beforeEach(async () => {
    proxy = await TcpProxy.start(Number(new URL(conclave.url).port))
    id = await createConversation(alice, ['bob'])
  })
  afterEach(async () => {
    await client.stop()
    await proxy.stop()
  })

  it('stops when the member is removed, and holds nothing open, although it had to connect again', async () => {
    await follow(file)
    await reconnect()
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    await send(alice, id, 'without Bob')
    expect(await client.said()).toEqual(over('FORBIDDEN', 'You are no longer a member of this conversation.'))
    await client.end()
  })

  it("refuses a page of a conversation that is not the viewer's", async () => {
    await connect(file)
    client.tell('page', await createConversation(alice, []))
    expect(await client.said()).toEqual(over('NOT_FOUND', 'There is no such conversation, or you are not in it.'))
  })

  it('says what is wrong with a message that is refused', async () => {
    await connect(file)
    client.tell('send', id, '')
    expect(await client.said()).toEqual(over('BAD_USER_INPUT', expect.stringMatching(/./)))
  })

  it('gives up when a new token is refused as well, and not before', async () => {
    client = new DocumentedClient(file, address(), 'not.a.token')
    client.tell('follow', id)
    expect(await client.said()).toEqual(
      over(expect.toBeOneOf([4403, 401, 'UNAUTHENTICATED']), expect.stringMatching(/./))
    )
    expect(client.tokensAsked).toBe(2)
  })

  it('stops at an event that the application fails to take', async () => {
    await connect(file)
    client.tell('choke', id)
    expect(await client.said()).toEqual({ page: [] })
    await send(alice, id, 'a bone')
    await send(alice, id, 'more')
    expect(await client.said()).toEqual({ choking: 'a bone' })
    expect(await client.said()).toEqual(over(undefined, 'not to be taken'))
    await client.end()
  })

  it('is over when it is closed, and so is what is under way', async () => {
    await follow(file)
    proxy.cut()
    client.tell('send', id, 'under way')
    client.tell('page', id)
    client.tell('close')
    const said = [await client.said(), await client.said(), await client.said()]
    const closed = over('CLOSED', 'The client was closed.')
    expect(said).toEqual(expect.arrayContaining([{ over: null }, closed, closed]))
    client.tell('send', id, 'too late')
    expect(await client.said()).toEqual(closed)
    client.tell('page', id)
    expect(await client.said()).toEqual(closed)
    await client.end()
  })

  it('goes on with a new token when the old one has run out', async () => {
    await follow(file)
    // Another subscription on the same socket, which nothing ends.
    client.tell('follow', await createConversation(alice, ['bob']))
    expect(await client.said()).toEqual({ page: [] })
    conclave.clock.advance(HOUR_MS)
    alice = await conclave.as('alice')
    client.useToken(await conclave.token('bob'))
    conclave.clock.advance(TOKEN_MS - HOUR_MS / 2)
    await send(alice, id, 'with a new token')
    expect(await client.events(1)).toEqual(['SENT 2 with a new token'])
  })

  it('goes on when one token after the other runs out soon after it was accepted', async () => {
    const token = await conclave.token('bob')
    // Half a second is left of it, or one and a half: the clock stands still, and every connection has as long.
    conclave.clock.advance(TOKEN_MS - 1_500)
    alice = await conclave.as('alice')
    client = new DocumentedClient(file, address(), token)
    client.tell('follow', id)
    expect(await client.said()).toEqual({ page: [] })
    const asked = client.tokensAsked
    await vi.waitFor(() => expect(client.tokensAsked).toBeGreaterThan(asked + 2), { timeout: 20_000 })
    client.useToken(await conclave.token('bob'))
    await send(alice, id, 'still there')
    expect(await client.events(1)).toEqual(['SENT 1 still there'])
  })

  it('finds out that a connection has silently gone, and loses nothing by it', async () => {
    await follow(file, 1_000)
    proxy.silence()
    const { connections } = proxy
    client.tell('send', id, 'into the void')
    await send(alice, id, 'unheard')
    // The first new one is not answered either.
    await vi.waitFor(() => expect(proxy.connections).toBeGreaterThan(connections + 1), { timeout: 20_000 })
    proxy.restore()
    const said = [await client.said(), await client.said(), await client.said()]
    expect(said.filter(({ sent }) => sent)).toEqual([{ sent: expect.objectContaining({ body: 'into the void' }) }])
    expect(said.filter(({ event }) => event).map(({ event }) => event?.message.sequence)).toEqual([2, 3])
    expect((await bodies()).sort()).toEqual(['into the void', 'live?', 'unheard'])
  })

  it('gets every message once and in order, and what was edited and deleted, through cuts and a restart', async () => {
    const [edited, deleted] = [await send(alice, id, 'to be edited'), await send(alice, id, 'to be deleted')]
    await follow(file)
    await send(alice, id, 'live')
    expect(await client.events(1)).toEqual(['SENT 4 live'])
    proxy.cut()
    await alice.run(EditMessageDocument, { messageId: edited.id, body: 'edited' })
    await alice.run(DeleteMessageDocument, { messageId: deleted.id })
    for (const body of ['missed', 'missed as well']) await send(alice, id, body)
    proxy.restore()
    expect(await client.events(4)).toEqual([
      'EDITED 1 edited',
      'DELETED 2 null',
      'SENT 5 missed',
      'SENT 6 missed as well'
    ])
    await conclave.restart()
    await send(alice, id, 'after the restart')
    await alice.run(EditMessageDocument, { messageId: edited.id, body: 'edited again' })
    expect(await client.events(2)).toEqual(['SENT 7 after the restart', 'EDITED 1 edited again'])
  })

  it('follows all conversations, and misses nothing of one that was joined while it was away', async () => {
    const userId = `cindy of ${file}`
    const cindy = new DocumentedClient(file, address(), await conclave.token(userId))
    client = cindy
    const [one, other] = [await createConversation(alice, [userId]), await createConversation(alice, [userId])]
    cindy.tell('inbox')
    expect(await cindy.said()).toEqual({ inbox: 2 })
    await send(alice, one, 'one')
    expect(await cindy.events(1)).toEqual(['SENT 1 one'])
    proxy.cut()
    await alice.run(AddMembersDocument, { conversationId: id, userIds: [userId] })
    await send(alice, id, 'welcome')
    proxy.restore()
    expect(await cindy.events(2)).toEqual([expect.stringMatching(/^SENT 1 alice added/), 'SENT 2 welcome'])
    await send(alice, other, 'another')
    expect(await cindy.events(1)).toEqual(['SENT 1 another'])
  })

  it('shows a conversation as the example does', async () => {
    const first = await send(alice, id, 'on the page')
    await connect(file)
    client.tell('example', 'example.mjs', id)
    expect((await client.said()).page).toHaveLength(1)
    expect(await client.said()).toEqual({ drawn: ['on the page'] })
    expect(await client.said()).toEqual({ drawn: ['on the page', 'Hello!'] })
    await alice.run(EditMessageDocument, { messageId: first.id, body: 'edited' })
    expect(await client.said()).toEqual({ drawn: ['edited', 'Hello!'] })
  })

  it('shows what happens in all conversations as the example does', async () => {
    // Somebody with no other conversation.
    const userId = `dora of ${file}`
    const own = await createConversation(alice, [userId])
    client = new DocumentedClient(file, address(), await conclave.token(userId))
    client.tell('example', 'inbox-example.mjs', own)
    expect(await client.said()).toEqual({ page: [] })
    await send(alice, own, 'everywhere')
    expect(await client.said()).toEqual({ drawn: ['everywhere'] })
  })

  it('says that a message is too big to be taken at all', async () => {
    await connect(file)
    client.tell('send', id, 'x'.repeat(1_000_000))
    expect(await client.said()).toEqual(
      over(expect.toBeOneOf([413, 1009, 'BAD_USER_INPUT']), expect.stringMatching(/./))
    )
  })

  it('stores a message once that it had to send again, its answer having been lost', async () => {
    await follow(file)
    proxy.hangUp()
    client.tell('send', id, 'once')
    await vi.waitFor(async () => expect(await bodies()).toEqual(['live?', 'once']), { timeout: 20_000 })
    proxy.restore()
    const said = [await client.said(), await client.said()]
    expect(said).toContainEqual({ sent: expect.objectContaining({ sequence: 2, body: 'once' }) })
    expect(said).toContainEqual({ event: expect.objectContaining({ type: 'SENT' }) })
    expect(await bodies()).toEqual(['live?', 'once'])
  })
})

/** Starts the client as Bob, through the proxy. @param silenceMs null for what the client has by itself */
async function connect(file: string, silenceMs: number | null = null): Promise<void> {
  client = new DocumentedClient(file, address(), await conclave.token('bob'), silenceMs)
}

/** The same, and waits until it follows. */
async function follow(file: string, silenceMs: number | null = null): Promise<void> {
  await connect(file, silenceMs)
  client.tell('follow', id)
  const { page } = await client.said()
  expect(page?.map(({ body }) => body)).toEqual(await bodies())
  await send(alice, id, 'live?')
  expect(await client.events(1)).toEqual([expect.stringMatching(/^SENT \d+ live\?$/)])
}

/** Has the client fail to connect, and then connect again. */
async function reconnect(): Promise<void> {
  const { connections } = proxy
  proxy.cut()
  await vi.waitFor(() => expect(proxy.connections).toBeGreaterThan(connections), { timeout: 20_000 })
  proxy.restore()
  await send(alice, id, 'back?')
  expect(await client.events(1)).toEqual([expect.stringMatching(/^SENT \d+ back\?$/)])
}

const address = () => `http://localhost:${proxy.port}/graphql`
const over = (code: unknown, message: unknown) => ({ over: { isError: true, code, message } })

async function bodies(): Promise<(string | null | undefined)[]> {
  return (await readBack(alice, id)).map(({ body }) => body)
}
