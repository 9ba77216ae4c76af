import { createHmac, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Unauthenticated } from '../../../src/errors.js'
import { createAuthenticate } from '../../../src/identity/authenticate.js'
import { signToken } from '../../../src/identity/sign-token.js'
import { TestClock } from '../../support/test-clock.js'
import { rejectionOf } from '../failures.js'

const config = { jwtSecret: randomBytes(32).toString('base64'), jwksUrl: null, issuer: null, audience: null }
const HALF_A_DAY_MS = 12 * 60 * 60 * 1000

describe('a signed token', () => {
  it('is refused after twelve hours', async () => {
    const clock = new TestClock(new Date('2026-11-01T12:00:00Z'))
    const { token, expiresAt } = await signToken(config, clock, { userId: 'alice', scopes: [] })
    expect(expiresAt.toISOString()).toBe('2026-11-02T00:00:00.000Z')
    const authenticate = createAuthenticate(config, clock, { mustExpire: false })
    clock.advance(HALF_A_DAY_MS - 1)
    expect((await authenticate(`Bearer ${token}`)).expiresAt).toEqual(expiresAt)
    clock.advance(1)
    const error = await rejectionOf(authenticate(`Bearer ${token}`))
    expect(error).toBeInstanceOf(Unauthenticated)
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', message: 'The token has expired. Get a new one.' })
  })

  it('is refused by a server with another secret', async () => {
    const clock = new TestClock()
    const { token } = await signToken(config, clock, { userId: 'alice', scopes: [] })
    const other = createAuthenticate({ ...config, jwtSecret: randomBytes(32).toString('base64') }, clock, {
      mustExpire: false
    })
    const error = await rejectionOf(other(`Bearer ${token}`))
    expect(error).toBeInstanceOf(Unauthenticated)
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', message: 'The token is not valid here.' })
  })

  it('is HS256 over its claims, for any reader of RFC 7519', async () => {
    const clock = new TestClock(new Date('2026-11-01T12:00:00.900Z'))
    const strict = { ...config, issuer: 'https://id', audience: 'conclave' }
    const claims = { userId: 'zoë', name: 'Zoë', scopes: ['keys:read', 'keys:admin'] }
    const { token } = await signToken(strict, clock, claims)
    const [header = '', payload = '', signature] = token.split('.')
    expect(read(header)).toEqual({ alg: 'HS256' })
    expect(read(payload)).toEqual({
      sub: 'zoë',
      name: 'Zoë',
      scope: 'keys:read keys:admin',
      iss: 'https://id',
      aud: 'conclave',
      iat: Date.parse('2026-11-01T12:00:00Z') / 1000,
      exp: Date.parse('2026-11-02T00:00:00Z') / 1000
    })
    expect(createHmac('sha256', config.jwtSecret).update(`${header}.${payload}`).digest('base64url')).toBe(signature)
  })

  it('has no claims that nobody asked for', async () => {
    const { token } = await signToken(config, new TestClock(), { userId: 'alice', scopes: [] })
    expect(Object.keys(read(token.split('.')[1] ?? '')).sort()).toEqual(['exp', 'iat', 'sub'])
  })

  it('is accepted, with its name and scopes, by the server whose secret it is', async () => {
    const clock = new TestClock()
    const strict = { ...config, issuer: 'https://id', audience: 'conclave' }
    const { token, expiresAt } = await signToken(strict, clock, { userId: 'bob', name: 'Bob', scopes: ['keys:read'] })
    expect(await createAuthenticate(strict, clock, { mustExpire: false })(`Bearer ${token}`)).toEqual({
      id: 'bob',
      name: 'Bob',
      scopes: new Set(['keys:read']),
      expiresAt
    })
  })
})

function read(part: string): object {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as object
}
