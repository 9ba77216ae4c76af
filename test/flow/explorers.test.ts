import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getIntrospectionQuery, Kind, parse } from 'graphql'
import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, eventCursor, send } from '../support/chat.js'

const DOCUMENTS = join(import.meta.dirname, '../../documents')
const STUDIO = 'https://studio.apollographql.com'
const EMBEDDED = 'https://sandbox.embed.apollographql.com'

let development: TestConclave
let production: TestConclave
let open: TestConclave
let closed: TestConclave

beforeAll(async () => {
  development = await bootConclave()
  production = await bootConclave({}, { NODE_ENV: 'production' })
  open = await bootConclave({}, { NODE_ENV: 'production', INTROSPECTION: 'on' })
  closed = await bootConclave({}, { INTROSPECTION: 'off' })
})
afterAll(async () => {
  for (const each of [development, production, open, closed]) await each.close()
})

const statusOf = async ({ url }: TestConclave, path: string) => (await fetch(url + path)).status
const introspect = async (conclave: TestConclave) =>
  await conclave.anonymous().post<{ __schema: object }>({ query: getIntrospectionQuery() })

describe('GraphiQL', () => {
  it('is there where the schema can be asked for, and nowhere else', async () => {
    for (const [conclave, status] of [
      [production, 404],
      [closed, 404],
      [development, 200],
      [open, 200]
    ] as const) {
      expect(await statusOf(conclave, '/graphiql')).toBe(status)
      const { data } = await introspect(conclave)
      expect(data?.__schema !== undefined).toBe(status === 200)
    }
  })

  it('may load nothing that is not this server’s own, and run no code from text', async () => {
    const { headers } = await fetch(`${development.url}/graphiql`)
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).not.toContain('http')
    expect(policy).not.toContain('unsafe-eval')
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self'")
    expect(policy).toContain("connect-src 'self'")
    expect(policy).toContain("frame-ancestors 'none'")
  })

  it('is made of files that are here, and that caches may keep', async () => {
    const assets = await assetsOf('/graphiql')
    expect(assets.length).toBeGreaterThan(1)
    for (const { headers } of assets) expect(headers.get('cache-control')).toContain('immutable')
    expect(await statusOf(development, '/explorers/assets/none.js')).toBe(404)
    expect(await statusOf(development, '/explorers/assets/../graphiql.html')).toBe(404)
    expect(await statusOf(development, '/explorers/assets/%2e%2e/graphiql.html')).not.toBe(200)
  })

  it('offers every operation of documents/', async () => {
    const scripts = (await assetsOf('/graphiql')).map(({ text }) => text).join('\n')
    const names = readdirSync(DOCUMENTS)
      .filter((name) => name.endsWith('.graphql'))
      .flatMap((name) => parse(readFileSync(join(DOCUMENTS, name), 'utf8')).definitions)
      .flatMap((node) => (node.kind === Kind.OPERATION_DEFINITION ? [`${node.operation} ${node.name?.value}`] : []))
    expect(names.length).toBeGreaterThan(30)
    for (const name of names) expect(scripts).toContain(name)
  })
})

describe('Apollo Sandbox', () => {
  it('is for development only, whatever production has been configured to show', async () => {
    expect(await statusOf(production, '/sandbox')).toBe(404)
    expect(await statusOf(open, '/sandbox')).toBe(404)
    expect(await statusOf(closed, '/sandbox')).toBe(404)
    expect(await statusOf(development, '/sandbox')).toBe(200)
  })

  it('may load what is Apollo’s, and nothing else', async () => {
    const { headers } = await fetch(`${development.url}/sandbox`)
    const policy = headers.get('content-security-policy') ?? ''
    expect([...new Set(policy.match(/https?:[^ ;]+/g))].sort()).toEqual([
      'https://embeddable-sandbox.cdn.apollographql.com',
      EMBEDDED
    ])
    expect(policy).not.toContain('unsafe')
  })

  it('says where it comes from, and what to do where that cannot be reached', async () => {
    const page = await (await fetch(`${development.url}/sandbox`)).text()
    expect(page).toMatch(/cannot be\s+reached/)
    expect(page).toContain('href="/graphiql"')
  })
})

describe.each([STUDIO, EMBEDDED])('a page of %s', (origin) => {
  it('sends queries to a development server, and to no other', async () => {
    for (const [conclave, allowed] of [
      [development, origin],
      [open, null]
    ] as const) {
      const preflight = await fetch(`${conclave.url}/graphql`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,content-type'
        }
      })
      expect(preflight.headers.get('access-control-allow-origin')).toBe(allowed)
      expect(preflight.headers.get('access-control-allow-headers')?.split(', ')).toEqual(
        expect.arrayContaining(['authorization', 'content-type'])
      )
      const response = await fetch(`${conclave.url}/graphql`, {
        method: 'POST',
        headers: {
          origin,
          'content-type': 'application/json',
          authorization: `Bearer ${await conclave.token('alice')}`
        },
        body: JSON.stringify({ query: '{ viewer { id } }' })
      })
      expect(response.headers.get('access-control-allow-origin')).toBe(allowed)
      expect(await response.json()).toEqual({ data: { viewer: { id: 'alice' } } })
    }
  })

  it('opens sockets to a development server, with the header as people write it, and to no other', async () => {
    const alice = await development.as('alice')
    const conversationId = await createConversation(alice, ['bob'])
    const after = await eventCursor(alice, conversationId)
    const events = subscribeAs(development, origin, { id: conversationId, after })
    const first = events.next()
    const { id } = await send(alice, conversationId, 'to whoever explores')
    expect((await first).value).toMatchObject({ data: { messageEvents: { message: { id } } } })
    await events.return?.()
    await expect(subscribeAs(open, origin, { id: conversationId, after }).next()).rejects.toMatchObject({
      message: expect.stringContaining('403')
    })
  })

  function subscribeAs(conclave: TestConclave, from: string, variables: { id: string; after: string }) {
    class OfPage extends WebSocket {
      constructor(url: string, protocol: string) {
        super(url, protocol, { origin: from })
      }
    }
    const client = createClient({
      url: `${conclave.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: OfPage,
      retryAttempts: 0,
      connectionParams: async () => ({ Authorization: `Bearer ${await conclave.token('alice')}` })
    })
    const query =
      'subscription ($id: ID!, $after: String) { messageEvents(conversationId: $id, after: $after) { message { id } } }'
    return client.iterate({ query, variables })
  }
})

/** What a page names in its HTML and, in turn, in those. */
async function assetsOf(path: string): Promise<{ text: string; headers: Headers }[]> {
  const found = new Map<string, { text: string; headers: Headers }>()
  const waiting = namesIn(await (await fetch(development.url + path)).text())
  for (let name = waiting.pop(); name; name = waiting.pop()) {
    if (found.has(name)) continue
    const response = await fetch(`${development.url}/explorers/assets/${name}`)
    expect([name, response.status]).toEqual([name, 200])
    const text = await response.text()
    found.set(name, { text, headers: response.headers })
    if (name.endsWith('.js')) waiting.push(...namesIn(text))
  }
  return [...found.values()]
}

/** Names with a digest, as the build gives them. */
function namesIn(text: string): string[] {
  return [
    ...text.matchAll(/(?:\/explorers\/assets\/|["']\.\/|["']assets\/)([\w.-]+-[\w-]{8}\.(?:js|css|svg|ttf))/g)
  ].map(([, name]) => name as string)
}
