import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { DeleteMessageDocument, EditMessageDocument, RemoveMemberDocument } from '../../documents/generated.js'
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
const FILES = ['with-graphql-ws.mjs', 'with-apollo-client.mjs', 'with-urql.mjs', 'with-graphql-sse.mjs']

describe('docs/clients.md', () => {
  it('has the four clients, and what they share', () => {
    expect([...codeBlocks().keys()].sort()).toEqual(['conclave.mjs', 'example.mjs', ...FILES].sort())
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

  it('stops when the member is removed', async () => {
    await follow(file)
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    await send(alice, id, 'without Bob')
    expect(await client.said()).toEqual({ over: expect.stringContaining('no longer a member') })
  })

  it('gives up when a new token is refused as well', async () => {
    client = new DocumentedClient(file, `http://localhost:${proxy.port}/graphql`, 'not.a.token')
    client.tell('follow', id)
    expect(await client.said()).toEqual({ over: expect.any(String) })
  })

  it('goes on with a new token when the old one has run out', async () => {
    await follow(file)
    conclave.clock.advance(HOUR_MS)
    alice = await conclave.as('alice')
    client.useToken(await conclave.token('bob'))
    // Tokens are given for twelve hours.
    conclave.clock.advance(11.5 * HOUR_MS)
    await send(alice, id, 'with a new token')
    expect(await client.events(1)).toEqual(['SENT 2 with a new token'])
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

/** Starts the client as Bob, through the proxy, and waits until it follows. */
async function follow(file: string): Promise<void> {
  client = new DocumentedClient(file, `http://localhost:${proxy.port}/graphql`, await conclave.token('bob'))
  client.tell('follow', id)
  const { page } = await client.said()
  expect(page?.map(({ body }) => body)).toEqual(await bodies())
  await send(alice, id, 'live?')
  expect(await client.events(1)).toEqual([expect.stringMatching(/^SENT \d+ live\?$/)])
}

async function bodies(): Promise<(string | null | undefined)[]> {
  return (await readBack(alice, id)).map(({ body }) => body)
}
