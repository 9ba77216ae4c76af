import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { createClient } from 'graphql-ws'
import { SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { ConversationsDocument, DevTokenDocument, ViewerDocument } from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { GraphQLClient } from '../support/graphql-client.js'

let conclave: TestConclave

beforeAll(async () => {
  conclave = await bootConclave()
})
afterAll(() => conclave.close())

const HOUR_MS = 60 * 60 * 1000

/** Tokens that must not get anybody in. */
async function badTokens(): Promise<Record<string, string>> {
  const now = conclave.clock.now().getTime()
  const secret = new TextEncoder().encode(conclave.services.authentication.jwtSecret)
  const claims = () => new SignJWT({}).setSubject('alice').setExpirationTime(new Date(now + HOUR_MS))
  const sign = (token: SignJWT, alg = 'HS256') => token.setProtectedHeader({ alg }).sign(secret)
  return {
    nonsense: 'not.a.token',
    'alg none': new UnsecuredJWT({})
      .setSubject('alice')
      .setExpirationTime(new Date(now + HOUR_MS))
      .encode(),
    'another algorithm': await sign(claims(), 'HS512'),
    'another secret': await claims()
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode('x'.repeat(32))),
    expired: await sign(claims().setExpirationTime(new Date(now - 1000))),
    'not yet valid': await sign(claims().setNotBefore(new Date(now + HOUR_MS))),
    'no sub': await sign(new SignJWT({}).setExpirationTime(new Date(now + HOUR_MS)))
  }
}
const BAD_TOKENS = ['nonsense', 'alg none', 'another algorithm', 'another secret', 'expired', 'not yet valid', 'no sub']

describe('a bad token', () => {
  it.each(BAD_TOKENS)('(%s) is refused over HTTP with 401', async (name) => {
    const client = new GraphQLClient(conclave.url, (await badTokens())[name] ?? '')
    expect(await client.execute(ViewerDocument)).toMatchObject({
      status: 401,
      errors: [{ extensions: { code: 'UNAUTHENTICATED' } }]
    })
  })

  it.each(BAD_TOKENS)('(%s) closes the WebSocket with 4403 before any operation', async (name) => {
    expect(await closeCode({ authorization: `Bearer ${(await badTokens())[name]}` })).toBe(4403)
  })

  it('that is missing, or not a text, closes the WebSocket with 4403', async () => {
    for (const params of [undefined, {}, { authorization: 7 }, { authorization: '' }])
      expect(await closeCode(params)).toBe(4403)
  })
})

describe('a WebSocket', () => {
  it('is closed with 4403 when its token expires', async () => {
    const soon = new Date(Math.ceil(conclave.clock.now().getTime() / 1000) * 1000 + 1000)
    const secret = new TextEncoder().encode(conclave.services.authentication.jwtSecret)
    const token = await new SignJWT({})
      .setSubject('alice')
      .setExpirationTime(soon)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(secret)
    expect(await closeCode({ authorization: `Bearer ${token}` })).toBe(4403)
  })

  it('is refused elsewhere than at /graphql', async () => {
    const socket = new WebSocket(`${conclave.url.replace('http', 'ws')}/elsewhere`, 'graphql-transport-ws')
    const [error] = await once(socket, 'error')
    expect(String(error)).toContain('404')
  })

  it('runs queries as HTTP does, and words errors the same', async () => {
    const alice = await conclave.as('alice')
    const token = await conclave.token('alice')
    const socket = createClient({
      url: `${conclave.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${token}` }
    })
    for (const query of [
      '{ viewer { id } }',
      '{ conversations(first: 0) { totalCount } }',
      '{ nonsense }',
      'query ($n: Int!) { conversations(first: $n) { totalCount } }'
    ]) {
      const { status: _, ...overHttp } = await alice.post({ query })
      const overSocket = await new Promise((resolve) => {
        let result: unknown
        socket.subscribe(
          { query },
          { next: (next) => (result = next), error: (errors) => resolve({ errors }), complete: () => resolve(result) }
        )
      })
      expect(overSocket).toEqual(overHttp)
    }
    await socket.dispose()
  })
})

describe('a request', () => {
  it('without a token reaches nothing but the schema', async () => {
    const { errors } = await conclave.anonymous().execute(ConversationsDocument, {})
    expect(errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }])
  })

  it('is known by sub, name and scope of its token', async () => {
    const viewer = await conclave.as('user|42', { name: 'Zoë' })
    expect(await viewer.run(ViewerDocument)).toEqual({ viewer: { id: 'user|42', name: 'Zoë' } })
  })

  it('with syntax, fields or variables that do not fit is told so with BAD_USER_INPUT', async () => {
    const alice = await conclave.as('alice')
    const requests = [
      { query: '{' },
      { query: '{ nonsense }' },
      { query: 'query ($id: ID!) { conversation(id: $id) { id } }' },
      {}
    ]
    for (const request of requests) {
      const { errors } = await alice.post(request)
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }])
    }
  })
})

describe('what is sent in another form', () => {
  it.each(['/graphql', '/graphql/stream'])('to %s is refused with 415, and told how to be sent', async (path) => {
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x']) {
      const headers = { 'content-type': type, accept: '*/*' }
      const response = await fetch(conclave.url + path, { method: 'POST', headers, body: 'query={viewer{id}}' })
      expect([response.status, await response.json()]).toEqual([415, toldToPost()])
    }
  })

  it('or by GET without a query, as from the address bar of a browser, is refused with 405, and told the same', async () => {
    const response = await fetch(`${conclave.url}/graphql`)
    expect([response.status, response.headers.get('allow'), await response.json()]).toEqual([405, 'POST', toldToPost()])
  })

  function toldToPost(): object {
    const message = expect.stringMatching(/^Send operations as POST .*application\/json/)
    return { errors: [{ message, extensions: { code: 'BAD_USER_INPUT' } }] }
  }
})

describe('devToken', () => {
  it('gives none for a scope that there is not', async () => {
    const { errors } = await conclave
      .anonymous()
      .execute(DevTokenDocument, { userId: 'dev', scopes: ['keys:read', 'bogus'] })
    expect(errors).toMatchObject([
      {
        message: 'There is no scope bogus. There are keys:read and keys:admin.',
        extensions: { code: 'BAD_USER_INPUT', field: 'scopes' }
      }
    ])
  })

  it('gives a token that works, in development', async () => {
    const { devToken } = await conclave.anonymous().run(DevTokenDocument, { userId: 'dev', name: 'Dev' })
    const viewer = await new GraphQLClient(conclave.url, devToken.token).run(ViewerDocument)
    expect(viewer).toEqual({ viewer: { id: 'dev', name: 'Dev' } })
    expect(Date.parse(devToken.expiresAt)).toBeGreaterThan(conclave.clock.now().getTime())
  })

  it('is for nobody who has come by another name than that of this machine', async () => {
    const { port } = new URL(conclave.url)
    const body = JSON.stringify({ query: 'mutation { devToken(userId: "x") { token } }' })
    const statusFor = async (host: string) => {
      const headers = { host, 'content-type': 'application/json' }
      const request = httpRequest({ port, path: '/graphql', method: 'POST', headers }).end(body)
      const [response] = await once(request, 'response')
      return response.resume().statusCode
    }
    expect(await statusFor(`localhost:${port}`)).toBe(200)
    expect(await statusFor(`rebound.example:${port}`)).toBe(421)
    const exposed = await bootConclave({ host: '0.0.0.0' })
    const url = exposed.url.replace('0.0.0.0', '127.0.0.1')
    const { errors } = await new GraphQLClient(url, null).execute(DevTokenDocument, { userId: 'x' })
    expect(errors?.[0]?.message).toContain('Cannot query field "devToken"')
    await exposed.close()
  })

  it('is not in the schema of production, nor is what is stored, nor introspection', async () => {
    const production = await bootConclave({ mode: 'production' })
    const queries = ['{ storedMessage(id: "x") { dataKeyId } }', '{ __schema { types { name } } }']
    for (const query of ['mutation { devToken(userId: "x") { token } }', ...queries]) {
      const { errors } = await production.anonymous().post({ query })
      expect(errors?.map(({ extensions }) => extensions.code)).toContain('BAD_USER_INPUT')
      expect(JSON.stringify(errors)).not.toContain('Did you mean')
    }
    await production.close()
  })
})

describe('probes', () => {
  it('answer while the server and its database are there', async () => {
    for (const [path, body] of [
      ['/healthz', { status: 'ok' }],
      ['/readyz', { status: 'ok', database: 'ok', masterKeys: ['ok'] }]
    ] as const) {
      const response = await fetch(conclave.url + path)
      expect([response.status, await response.json()]).toEqual([200, body])
    }
  })
})

async function closeCode(connectionParams: Record<string, unknown> | undefined): Promise<number> {
  const socket = new WebSocket(`${conclave.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'connection_init', payload: connectionParams }))
  const [code] = await once(socket, 'close')
  return code
}
