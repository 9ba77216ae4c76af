import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client'
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import {
  createPersistedQueryManifestVerificationLink,
  generatePersistedQueryIdsFromManifest
} from '@apollo/persisted-query-lists'
import type { SubscribePayload } from 'graphql-ws'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  CreateConversationDocument,
  MessageEventsDocument,
  MessagesDocument,
  SendMessageDocument,
  ViewerDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { askOver, openSocket, TRANSPORTS, type Transport } from '../support/transports.js'

/** Operations named by a hash or an id, and lists of the only ones that may run, over all transports. */

const closings: (() => unknown)[] = []
const folder = mkdtempSync(join(tmpdir(), 'conclave-persisted-'))
let conclave: TestConclave

afterEach(async () => {
  for (const close of closings.splice(0)) await close()
})
afterAll(() => rmSync(folder, { recursive: true }))

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const named = (sha256Hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash } } })
const byHash = (query: string) => named(sha256(query))
const VIEWER = { data: { viewer: { id: 'alice' } } }

describe('an operation named by its hash', () => {
  beforeAll(async () => {
    conclave = await bootConclave()
  })
  afterAll(() => conclave.close())

  it.each(TRANSPORTS)('over %s that nobody has sent, or beside another text, is refused', async (transport) => {
    const query = `query Unknown { viewer { id } } # ${transport}`
    expect(await ask(transport, byHash(query))).toEqual(refusedWith('PersistedQueryNotFound'))
    const mismatch = 'extensions.persistedQuery: sha256Hash is not the SHA-256 of the query.'
    expect(await ask(transport, { query, ...byHash('{ other }') })).toMatchObject(refusedWith(mismatch))
    expect(await ask(transport, named({ toString: 1 } as never))).toMatchObject({
      errors: [{ extensions: { code: 'BAD_USER_INPUT', field: 'extensions.persistedQuery' } }]
    })
  })

  it.each(TRANSPORTS)('over %s is not kept when it is wrong', async (transport) => {
    const query = `{ nonsense } # ${transport}`
    expect(await ask(transport, { query, ...byHash(query) })).toMatchObject({ errors: [{ message: /nonsense/ }] })
    expect(await ask(transport, byHash(query))).toEqual(refusedWith('PersistedQueryNotFound'))
  })

  it.each(TRANSPORTS)('is known to all transports once it came over %s', async (transport) => {
    const query = `query Known { viewer { id } } # ${transport}`
    expect(await ask(transport, { query, ...byHash(query) })).toEqual(VIEWER)
    for (const other of TRANSPORTS) expect(await ask(other, byHash(query))).toEqual(VIEWER)
  })

  it.each(TRANSPORTS)('is parsed once for all transports when it first came over %s', async (transport) => {
    const query = `query Parsed { viewer { id } } # ${transport}`
    const stored = async () => await conclave.services.documents.forApollo().get(`schema:${sha256(query)}`)
    await ask(transport, { query })
    const document = await stored()
    expect(document).toMatchObject({ kind: 'Document' })
    for (const other of TRANSPORTS) expect(await ask(other, { query })).toEqual(VIEWER)
    expect(await stored()).toBe(document)
  })

  it.each([false, true])('serves Apollo Client over HTTP and WebSocket (GET: %s)', async (useGETForHashedQueries) => {
    const sent: string[] = []
    const link = new PersistedQueryLink({ sha256, useGETForHashedQueries })
    const client = await apolloClient(link, sent)
    await converse(client)
    // The text goes over HTTP once for each operation.
    expect(sent.filter((request) => request.includes('query Messages'))).toHaveLength(useGETForHashedQueries ? 0 : 1)
    const before = sent.length
    await (await apolloClient(new PersistedQueryLink({ sha256, useGETForHashedQueries }), sent)).query({
      query: ViewerDocument
    })
    await client.query({ query: ViewerDocument, fetchPolicy: 'network-only' })
    expect(sent.length).toBeGreaterThan(before)
    expect(sent.at(-1)).not.toContain('query Viewer')
  })
})

describe('with a list of operations', () => {
  const file = join(folder, 'manifest.json')
  let manifest: { operations: { id: string; name: string; type: 'query'; body: string }[] }

  beforeAll(async () => {
    const project = fileURLToPath(new URL('../..', import.meta.url))
    execFileSync('npm', ['run', '-s', 'persisted-queries', '--', file], { cwd: project })
    manifest = JSON.parse(readFileSync(file, 'utf8'))
    conclave = await bootConclave({ mode: 'production' }, { PERSISTED_QUERIES: file })
  })
  afterAll(() => conclave.close())

  const bodyOf = (name: string) => manifest.operations.find((operation) => operation.name === name)?.body ?? ''

  it.each(TRANSPORTS)('anything else over %s is refused before it is parsed, persisted or not', async (transport) => {
    const refusal = refusedWith('This server runs the operations of its list only, and this is none of them.')
    const others = [
      '{ viewer { id } }',
      '{ not even GraphQL',
      '{ __schema { queryType { name } } }',
      `${bodyOf('Viewer')} `
    ]
    for (const query of others) {
      for (const request of [{ query }, { query, ...byHash(query) }, byHash(query)])
        expect(await ask(transport, request)).toMatchObject(refusal)
    }
  })

  it('anything else in a GET request is refused', async () => {
    const search = new URLSearchParams({ query: '{ viewer { id } }' })
    const response = await fetch(`${conclave.url}/graphql?${search}`, {
      headers: { 'apollo-require-preflight': 'yes' }
    })
    expect([response.status, await response.json()]).toMatchObject([400, { errors: [{ message: /its list only/ }] }])
  })

  it.each(TRANSPORTS)('an operation of it runs over %s by its id and by its very text', async (transport) => {
    const result = { data: { viewer: { id: 'alice', name: 'alice' } } }
    const query = bodyOf('Viewer')
    for (const request of [{ query }, byHash(query), { query, ...byHash(query) }])
      expect(await ask(transport, request)).toMatchObject(result)
  })

  it('serves Apollo Client by the ids of the manifest, over HTTP and WebSocket', async () => {
    const loadManifest = () => manifest
    const mismatches: string[] = []
    const verified = createPersistedQueryManifestVerificationLink({
      loadManifest,
      onVerificationFailed: ({ reason }) => void mismatches.push(reason)
    })
    const link = new PersistedQueryLink(generatePersistedQueryIdsFromManifest({ loadManifest }))
    const sent: string[] = []
    await converse(await apolloClient(ApolloLink.from([verified as unknown as ApolloLink, link]), sent))
    expect(mismatches).toEqual([])
    expect(sent.filter((request) => /(query|mutation) [A-Z]/.test(request))).toEqual([])
  })
})

function refusedWith(message: string) {
  return { errors: [{ message, extensions: { code: 'BAD_USER_INPUT' } }] }
}

async function ask(transport: Transport, request: Partial<SubscribePayload>): Promise<unknown> {
  return await askOver(transport, conclave.url, await conclave.token('alice'), request)
}

/** Alice's, with its subscriptions over WebSocket. @param sent takes every request over HTTP */
async function apolloClient(first: ApolloLink, sent: string[]): Promise<ApolloClient> {
  const token = await conclave.token('alice')
  const http = new HttpLink({
    uri: `${conclave.url}/graphql`,
    headers: { authorization: `Bearer ${token}` },
    fetch: async (uri, init) => {
      sent.push(`${init?.method} ${decodeURIComponent(String(uri))} ${init?.body ?? ''}`)
      return await fetch(uri, init)
    }
  })
  const isSubscription = ({ operationType }: ApolloLink.Operation) => operationType === 'subscription'
  const socket = openSocket(conclave.url, token)
  closings.push(() => socket.dispose())
  const last = ApolloLink.split(isSubscription, new GraphQLWsLink(socket), http)
  const client = new ApolloClient({ cache: new InMemoryCache(), link: first.concat(last) })
  closings.push(() => client.stop())
  return client
}

/** A query, a mutation and a subscription. */
async function converse(client: ApolloClient): Promise<void> {
  const created = await client.mutate({ mutation: CreateConversationDocument, variables: { input: { memberIds: [] } } })
  const conversationId = created.data?.createConversation.conversation.id as string
  const page = await client.query({ query: MessagesDocument, variables: { id: conversationId, last: 5 } })
  const after = page.data?.conversation?.eventCursor as string
  const event = new Promise<unknown>((resolve, reject) => {
    client
      .subscribe({ query: MessageEventsDocument, variables: { conversationId, after }, fetchPolicy: 'no-cache' })
      .subscribe({ next: ({ data, error }) => (error ? reject(error) : resolve(data)), error: reject })
  })
  const input = { conversationId, body: 'by its hash' }
  await client.mutate({ mutation: SendMessageDocument, variables: { input } })
  expect(await event).toMatchObject({ messageEvents: { message: { sequence: 1, body: 'by its hash' } } })
}
