import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { bootConclave, type TestConclave } from '../support/boot.js'

const PAGE = 'https://chat.example'
const SANDBOX = 'https://studio.apollographql.com'

let conclave: TestConclave
let production: TestConclave
let proxied: TestConclave
let besideProxy: TestConclave

beforeAll(async () => {
  const variables = { ALLOWED_ORIGINS: PAGE, REQUEST_TIMEOUT: 'PT1S' }
  conclave = await bootConclave({}, variables)
  production = await bootConclave({ mode: 'production' }, { ...variables })
  proxied = await bootConclave({}, { TRUSTED_PROXIES: 'loopback' })
  besideProxy = await bootConclave({}, { TRUSTED_PROXIES: '203.0.113.0/24' })
})
afterAll(async () => {
  for (const each of [conclave, production, proxied, besideProxy]) await each.close()
})

describe('a request that never ends is cut off with 408', () => {
  it.each([
    ['before its first byte', ''],
    ['in the middle of its headers', 'POST /graphql HTTP/1.1\r\nhost: localhost\r\nx-slow: '],
    [
      'before its body',
      'POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{'
    ],
    [
      'before its body, as an event stream',
      'POST /graphql/stream HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{'
    ]
  ])('%s', async (_, begun) => {
    const socket = connect(Number(new URL(conclave.url).port), '127.0.0.1')
    socket.write(begun)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(String(answer)).toMatch(/^HTTP\/1\.1 408 /)
    await once(socket, 'close')
  })
})

describe('what is no operation is refused in the form that GraphQL clients read', () => {
  it.each([
    [404, '/nowhere', { method: 'GET' }],
    [404, '/graphql/nowhere', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }],
    [405, '/graphql', { method: 'PUT' }],
    [405, '/graphql/stream', { method: 'DELETE' }],
    [
      415,
      '/graphql',
      { method: 'POST', body: 'query={a}', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
    ],
    [413, '/graphql', { method: 'POST', body: 'x'.repeat(1_000_000), headers: { 'content-type': 'application/json' } }]
  ])('with %i at %s', async (status, path, init) => {
    const response = await fetch(conclave.url + path, init)
    expect(response.status).toBe(status)
    const { errors } = (await response.json()) as { errors: { message: string; extensions: { code: string } }[] }
    expect(errors).toHaveLength(1)
    expect(errors[0]?.extensions.code).toMatch(/^(BAD_USER_INPUT|NOT_FOUND)$/)
  })
})

describe('a request whose Host is no host', () => {
  const withHost = (path: string, version: string, header: string) => `GET ${path} HTTP/${version}\r\n${header}\r\n\r\n`

  it.each(['Host: [', 'Host: a b', 'Host: %', 'Host: a[b', 'Host: '])('is refused with 400: %s', async (header) => {
    expect(await statusOf(withHost('/graphql?query={viewer{id}}', '1.1', header))).toBe(400)
  })

  it('or has none is refused with 400 as well, but for probes over HTTP/1.0', async () => {
    expect(await statusOf(withHost('/graphql?query={viewer{id}}', '1.0', ''))).toBe(400)
    expect(await statusOf(withHost('/healthz', '1.0', ''))).toBe(200)
    expect(await statusOf(withHost('/healthz', '1.1', 'Host: ['))).toBe(400)
  })

  it.each(['localhost', 'chat.example:4000', '[::1]:4000', '127.0.0.1'])('is none of these: %s', async (host) => {
    expect(await statusOf(withHost('/healthz', '1.1', `Host: ${host}`))).toBe(200)
  })

  /** Of a server that answers to any name. */
  async function statusOf(request: string): Promise<number> {
    const socket = connect(Number(new URL(production.url).port), '127.0.0.1')
    socket.write(request)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    return Number(/^HTTP\/1\.1 (\d+) /.exec(String(answer))?.[1])
  }
})

describe('a request that fails for a fault of our own', () => {
  it('is answered with nothing of it, and logged by its place and with the id of the request', async () => {
    const states = vi.spyOn(conclave.services.masterKeyHealth, 'states')
    states.mockRejectedValue(new TypeError('nothing is there to read "hunter2" of'))
    const response = await fetch(`${conclave.url}/readyz`)
    states.mockRestore()
    expect(response.status).toBe(500)
    expect(await response.json()).toEqual({
      errors: [{ message: 'Something went wrong on our side. Try again.', extensions: { code: 'INTERNAL' } }]
    })
    const entry = conclave
      .logged()
      .split('\n')
      .find((line) => line.includes('a request failed'))
    expect(JSON.parse(entry ?? '{}')).toMatchObject({
      name: 'TypeError',
      reason: 'nothing is there to read "…" of',
      stack: expect.stringContaining('http-hardening.test.ts'),
      requestId: response.headers.get('x-request-id')
    })
    expect(conclave.logged()).not.toContain('hunter2')
  })
})

describe('a page of another origin', () => {
  const preflight = async (server: TestConclave, origin: string) => {
    const headers = {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization'
    }
    const response = await fetch(`${server.url}/graphql`, { method: 'OPTIONS', headers })
    return response.headers.get('access-control-allow-origin')
  }

  it('is not told that it may', async () => {
    expect(await preflight(conclave, 'https://evil.example')).toBeNull()
    expect(await preflight(conclave, 'null')).toBeNull()
    expect(await preflight(conclave, `${PAGE}.evil.example`)).toBeNull()
  })

  it('may when it is on the list', async () => {
    expect(await preflight(conclave, PAGE)).toBe(PAGE)
    expect(await preflight(production, PAGE)).toBe(PAGE)
  })

  it('may read event streams and their ids as it may other answers, when it is on the list', async () => {
    const init = { method: 'POST', body: JSON.stringify({ query: '{ viewer { id } }' }) }
    const headers = { 'content-type': 'application/json', accept: '*/*' }
    const ask = async (path: string, origin: string) =>
      (await fetch(conclave.url + path, { ...init, headers: { ...headers, origin } })).headers
    for (const path of ['/graphql', '/graphql/stream']) {
      const allowed = await ask(path, PAGE)
      expect(allowed.get('access-control-allow-origin')).toBe(PAGE)
      expect(allowed.get('access-control-expose-headers')).toContain('x-request-id')
      expect(allowed.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
      expect(allowed.get('content-security-policy')).toContain("default-src 'none'")
      expect((await ask(path, 'https://evil.example')).get('access-control-allow-origin')).toBeNull()
    }
    expect((await ask('/graphql/stream', PAGE)).get('cache-control')).toBe('no-cache, no-transform')
  })

  it('may in development when it is Apollo’s Sandbox, and not in production', async () => {
    expect(await preflight(conclave, SANDBOX)).toBe(SANDBOX)
    expect((await bootedInProduction()).allowedOrigins).toEqual([PAGE])
  })

  async function bootedInProduction() {
    const { loadConfig } = await import('../../src/config.js')
    return loadConfig({
      NODE_ENV: 'production',
      ALLOWED_ORIGINS: PAGE,
      DATABASE_URL: 'postgres://localhost/none',
      AUTH_JWT_SECRET: 'x'.repeat(32),
      MASTER_KEY: 'local:one',
      MASTER_SECRETS: `one=${Buffer.alloc(32, 1).toString('base64')}`
    })
  }
})

describe('a request that may be answered over another protocol', () => {
  it.each(['h2c', 'TLS/1.2', 'h2c, websocket'])('such as %s is answered over its own', async (upgrade) => {
    const body = JSON.stringify({ query: '{ viewer { id } }' })
    const headers = {
      ...{ 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      ...{ connection: 'Upgrade, HTTP2-Settings', upgrade, 'http2-settings': 'AAMAAABkAAQCAAAAAAIAAAAA' },
      authorization: `Bearer ${await conclave.token('alice')}`
    }
    const request = httpRequest(`${conclave.url}/graphql`, { method: 'POST', headers })
    request.end(body)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(200)
    expect(await json(response)).toEqual({ data: { viewer: { id: 'alice' } } })
  })
})

describe('every answer', () => {
  it.each(['/', '/healthz', '/nowhere', '/graphql'])('says what pages may do with it: %s', async (path) => {
    const { headers } = await fetch(conclave.url + path)
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('strict-transport-security')).toMatch(/max-age=\d+/)
    expect(headers.get('x-powered-by')).toBeNull()
  })

  it('has an id of its own, whatever the client says it is', async () => {
    const ask = async () => await fetch(`${conclave.url}/healthz`, { headers: { 'x-request-id': 'mine' } })
    const ids = [(await ask()).headers.get('x-request-id'), (await ask()).headers.get('x-request-id')]
    expect(new Set([...ids, 'mine']).size).toBe(3)
  })

  it('has an id of its own as well where there are trusted proxies, and the client is none of them', async () => {
    const headers = { 'x-request-id': 'mine', 'x-forwarded-for': '203.0.113.7' }
    const id = (await fetch(`${besideProxy.url}/healthz`, { headers })).headers.get('x-request-id')
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('has the id that a trusted proxy gave, in the log as well', async () => {
    const headers = { 'content-type': 'application/json', 'x-request-id': 'of-the-proxy', authorization: 'Bearer x' }
    const body = JSON.stringify({ query: '{ viewer { id } }' })
    const response = await fetch(`${proxied.url}/graphql`, { method: 'POST', headers, body })
    expect(response.headers.get('x-request-id')).toBe('of-the-proxy')
    const odd = await fetch(`${proxied.url}/healthz`, { headers: { 'x-request-id': 'a b"c' } })
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })
})
