import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, errors, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Unauthenticated } from '../../../src/errors.js'
import { type Authenticate, createAuthenticate } from '../../../src/identity/authenticate.js'
import { TestClock } from '../../support/test-clock.js'
import { rejectionOf } from '../failures.js'

const clock = new TestClock(new Date('2026-11-01T12:00:00Z'))
let jwk: JWK
let privateKey: CryptoKey
let provider: Server
let answer: RequestListener
let authenticate: Authenticate

beforeAll(async () => {
  const pair = await generateKeyPair('ES256', { extractable: true })
  privateKey = pair.privateKey
  jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256', use: 'sig' }
})
beforeEach(async () => {
  provider = createServer((request, response) => answer(request, response))
  await once(provider.listen(0, '127.0.0.1'), 'listening')
  const jwksUrl = new URL(`http://127.0.0.1:${(provider.address() as AddressInfo).port}/jwks.json`)
  authenticate = createAuthenticate({ jwtSecret: null, jwksUrl, issuer: null, audience: null }, clock, {
    mustExpire: false
  })
})
afterEach(closeProvider)

describe('a valid bearer token is not called invalid', () => {
  it.each([
    ['503', 503, {}],
    ['404', 404, {}],
    ['204', 204, {}],
    ['a redirection', 302, { location: 'http://127.0.0.1:1/' }]
  ])('when the identity provider answers with %s', async (_, status, headers) => {
    answer = (_request, response) => response.writeHead(status, headers).end()
    await expectOtherError(errors.JOSEError, 'Expected 200 OK from the JSON Web Key Set HTTP response')
  })

  it.each(['', '<h1>Be right back</h1>', '{"keys":['])(
    'when the identity provider answers with %j, no JSON',
    async (body) => {
      answerWith(body)
      await expectOtherError(errors.JOSEError, 'Failed to parse the JSON Web Key Set HTTP response as JSON')
    }
  )

  it.each([null, 7, [], {}, { keys: null }, { keys: {} }, { keys: ['one'] }, { error: 'unavailable' }])(
    'when the identity provider answers with %j, no key set',
    async (body) => {
      answerWith(JSON.stringify(body))
      await expectOtherError(errors.JWKSInvalid, 'JSON Web Key Set malformed')
    }
  )

  it('when the identity provider gives nonsense for its key', async () => {
    answerWith(JSON.stringify({ keys: [{ ...jwk, x: 'AAAA', y: 'AAAA' }] }))
    expect(await rejectionOf(authenticate(await bearer()))).not.toBeInstanceOf(Unauthenticated)
  })

  it('when the identity provider refuses connections', async () => {
    await closeProvider()
    await expectOtherError(TypeError, 'fetch failed')
  })

  it('when the identity provider cuts the connection', async () => {
    answer = (request) => request.socket.destroy()
    await expectOtherError(TypeError, 'fetch failed')
  })
})

describe('an identity provider out of reach', () => {
  it('still leaves a header without a token, or a token that is none, refused', async () => {
    answer = (_, response) => response.writeHead(503).end()
    const sentences = {
      Bearer: 'The Authorization header must be "Bearer " and a token.',
      'Bearer x': 'The token is not valid here.'
    }
    for (const [authorization, message] of Object.entries(sentences)) {
      const error = await rejectionOf(authenticate(authorization))
      expect(error).toBeInstanceOf(Unauthenticated)
      expect(error).toMatchObject({ code: 'UNAUTHENTICATED', message })
    }
  })

  it('is asked again for the next token', async () => {
    answer = (_, response) => response.writeHead(503).end()
    await rejectionOf(authenticate(await bearer()))
    answerWith(JSON.stringify({ keys: [jwk] }))
    expect((await authenticate(await bearer())).id).toBe('alice')
  })
})

function answerWith(body: string): void {
  answer = (_, response) => response.setHeader('content-type', 'application/json').end(body)
}

async function bearer(): Promise<string> {
  const header = { alg: 'ES256', kid: 'one' }
  return `Bearer ${await new SignJWT({ sub: 'alice' }).setProtectedHeader(header).sign(privateKey)}`
}

async function expectOtherError(type: typeof TypeError | typeof errors.JOSEError, message: string): Promise<void> {
  const error = await rejectionOf(authenticate(await bearer()))
  expect(error).not.toBeInstanceOf(Unauthenticated)
  expect(error).toBeInstanceOf(type)
  expect(error.message).toBe(message)
}

async function closeProvider(): Promise<void> {
  if (!provider.listening) return
  provider.closeAllConnections()
  await new Promise((resolve) => provider.close(resolve))
}
