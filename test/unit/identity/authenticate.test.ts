import { createHmac, randomBytes } from 'node:crypto'
import { type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { Unauthenticated } from '../../../src/errors.js'
import { createAuthenticate } from '../../../src/identity/authenticate.js'
import { TestClock } from '../../support/test-clock.js'
import { rejectionOf } from '../failures.js'

const jwtSecret = randomBytes(64).toString('base64')
const config = { jwtSecret, jwksUrl: null, issuer: null, audience: null }
const NOW = Date.parse('2026-11-01T12:00:00Z') / 1000
const clock = new TestClock(new Date(NOW * 1000))
const authenticate = createAuthenticate(config, clock, { mustExpire: false })
const NOT_VALID = 'The token is not valid here.'
const EXPIRED = 'The token has expired. Get a new one.'
const NO_SUB = 'The token has no usable "sub" claim.'

describe('a bearer token signed by the shared secret', () => {
  it.each([
    '',
    'Bearer',
    'Bearer ',
    'Basic YWxpY2U6cHc=',
    'Token abc',
    'Bearer a b',
    'BearerX a',
    ' Bearer a',
    'Bearer a '
  ])('is not found in the header %j', async (header) => {
    await expectRefused(header, 'The Authorization header must be "Bearer " and a token.')
  })

  it('is not found in a header without the scheme', async () => {
    await expectRefused(await sign({ sub: 'alice' }), 'The Authorization header must be "Bearer " and a token.')
  })

  it.each(['x', 'a.b', 'a.b.c', '..', 'e30.e30.', 'a.b.c.d.e'])('is not "%s"', async (text) => {
    await expectRefused(`Bearer ${text}`)
  })

  it('is refused without a signature, however it says so', async () => {
    await expectRefused(`Bearer ${new UnsecuredJWT({ sub: 'alice' }).encode()}`)
    const [, payload] = (await sign({ sub: 'alice' })).split('.')
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '']) {
      await expectRefused(`Bearer ${base64url({ alg })}.${payload}.`)
    }
    await expectRefused(`Bearer ${base64url({ alg: 'HS256' })}.${payload}.`)
  })

  it.each(['HS384', 'HS512'])('is refused with the algorithm %s', async (alg) => {
    await expectRefused(`Bearer ${await sign({ sub: 'alice' }, { alg })}`)
  })

  it('is refused when its header names another algorithm than the one that signed it', async () => {
    const signed = `${base64url({ alg: 'RS256' })}.${base64url({ sub: 'alice' })}`
    const signature = createHmac('sha256', jwtSecret).update(signed).digest('base64url')
    await expectRefused(`Bearer ${signed}.${signature}`)
  })

  it('is refused when it is signed by another secret', async () => {
    await expectRefused(`Bearer ${await sign({ sub: 'alice' }, { secret: randomBytes(64).toString('base64') })}`)
  })

  it('is refused when its payload is not the one that was signed', async () => {
    const [header, , signature] = (await sign({ sub: 'alice' })).split('.')
    await expectRefused(`Bearer ${header}.${base64url({ sub: 'mallory' })}.${signature}`)
  })

  it('is refused with a critical header that nobody here knows', async () => {
    const signed = `${base64url({ alg: 'HS256', crit: ['exp'], exp: 1 })}.${base64url({ sub: 'alice' })}`
    await expectRefused(`Bearer ${signed}.${createHmac('sha256', jwtSecret).update(signed).digest('base64url')}`)
  })

  it('is refused when it never expires, where tokens must', async () => {
    const inProduction = createAuthenticate(config, clock, { mustExpire: true })
    const forEver = `Bearer ${await sign({ sub: 'alice' })}`
    expectUnauthenticated(await rejectionOf(inProduction(forEver)), 'The token is not valid here.')
    expect((await inProduction(`Bearer ${await sign({ sub: 'alice', exp: NOW + 60 })}`)).id).toBe('alice')
  })

  it('is refused once it has expired, by the clock that was given', async () => {
    const token = await sign({ sub: 'alice', exp: NOW + 60 })
    const own = new TestClock(new Date(NOW * 1000))
    const at = createAuthenticate(config, own, { mustExpire: false })
    own.advance(59_999)
    expect((await at(`Bearer ${token}`)).id).toBe('alice')
    own.advance(1)
    expectUnauthenticated(await rejectionOf(at(`Bearer ${token}`)), EXPIRED)
  })

  it.each([NOW, NOW - 1, 0, -1])('is refused when it expires at %d, which is not after now', async (exp) => {
    await expectRefused(`Bearer ${await sign({ sub: 'alice', exp })}`, EXPIRED)
  })

  it('is refused before it becomes valid', async () => {
    await expectRefused(`Bearer ${await sign({ sub: 'alice', nbf: NOW + 1 })}`)
    expect((await authenticate(`Bearer ${await sign({ sub: 'alice', nbf: NOW })}`)).id).toBe('alice')
  })

  it.each(['soon', null, '4102444800'])('is refused when it expires at %j', async (exp) => {
    await expectRefused(`Bearer ${await sign({ sub: 'alice', exp } as unknown as JWTPayload)}`)
  })

  it('is refused without a subject', async () => {
    await expectRefused(`Bearer ${await sign({ name: 'Alice' })}`)
  })

  it.each([
    ['empty', ''],
    ['one with U+0000', 'ali\u0000ce'],
    ['one with a line break', 'alice\n'],
    ['one with a lone surrogate', 'alice\ud800'],
    ['256 bytes long', 'x'.repeat(256)],
    ['256 bytes long in 128 characters', 'é'.repeat(128)],
    ['a number', 7],
    ['null', null],
    ['a list', ['alice']]
  ])('is refused when its subject is %s', async (_, sub) => {
    await expectRefused(`Bearer ${signByHand({ sub })}`, NO_SUB)
  })

  it.each([{ sub: 'alice' }, { sub: 'alice', iss: 'https://evil' }, { sub: 'alice', iss: 'https://id/' }])(
    'is refused from another issuer: %j',
    async (claims) => {
      const strict = createAuthenticate({ ...config, issuer: 'https://id' }, clock, { mustExpire: false })
      expectUnauthenticated(await rejectionOf(strict(`Bearer ${await sign(claims)}`)), NOT_VALID)
      expect((await strict(`Bearer ${await sign({ ...claims, iss: 'https://id' })}`)).id).toBe('alice')
    }
  )

  it.each([{ sub: 'alice' }, { sub: 'alice', aud: 'billing' }, { sub: 'alice', aud: ['billing', 'Conclave'] }])(
    'is refused for another audience: %j',
    async (claims) => {
      const strict = createAuthenticate({ ...config, audience: 'conclave' }, clock, { mustExpire: false })
      expectUnauthenticated(await rejectionOf(strict(`Bearer ${await sign(claims)}`)), NOT_VALID)
      expect((await strict(`Bearer ${await sign({ ...claims, aud: ['billing', 'conclave'] })}`)).id).toBe('alice')
    }
  )

  it('tells who the viewer is, what they may do, and until when', async () => {
    const claims = { sub: 'alice', name: 'Alice Liddell', scope: 'keys:read  keys:admin ', exp: NOW + 3600 }
    expect(await authenticate(`Bearer ${await sign(claims)}`)).toEqual({
      id: 'alice',
      name: 'Alice Liddell',
      scopes: new Set(['keys:read', 'keys:admin']),
      expiresAt: new Date('2026-11-01T13:00:00Z')
    })
  })

  it('gives no scopes and no end where it has none', async () => {
    const viewer = await authenticate(`Bearer ${await sign({ sub: 'alice' })}`)
    expect(viewer).toEqual({ id: 'alice', name: 'alice', scopes: new Set(), expiresAt: null })
  })

  it.each([1e14, Number.MAX_SAFE_INTEGER, 1e300])(
    'ends with the last instant there is when it expires at %d',
    async (exp) => {
      const { expiresAt } = await authenticate(`Bearer ${signByHand({ sub: 'alice', exp })}`)
      expect(expiresAt?.getTime()).toBe(8.64e15)
      expect(expiresAt?.toISOString()).toBe('+275760-09-13T00:00:00.000Z')
    }
  )

  it.each([[['keys:admin']], [7], [{ 'keys:admin': true }], [null]])(
    'gives no scopes for the scope %j',
    async (scope) => {
      expect((await authenticate(`Bearer ${signByHand({ sub: 'alice', scope })}`)).scopes).toEqual(new Set())
    }
  )

  it.each(['', '   ', 'a\nb', '\ud800', 'x'.repeat(256), 7, null])('takes the id for the name %j', async (name) => {
    expect((await authenticate(`Bearer ${signByHand({ sub: 'alice', name })}`)).name).toBe('alice')
  })

  it.each(['bearer', 'BEARER', 'Bearer  '])('is found behind "%s"', async (scheme) => {
    expect((await authenticate(`${scheme} ${await sign({ sub: 'alice' })}`)).id).toBe('alice')
  })
})

async function sign(claims: JWTPayload, { alg = 'HS256', secret = jwtSecret } = {}): Promise<string> {
  return await new SignJWT(claims).setProtectedHeader({ alg }).sign(new TextEncoder().encode(secret))
}

/** Signs what jose would not. */
function signByHand(claims: object): string {
  const signed = `${base64url({ alg: 'HS256' })}.${base64url(claims)}`
  return `${signed}.${createHmac('sha256', jwtSecret).update(signed).digest('base64url')}`
}

function base64url(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

async function expectRefused(authorization: string, message = NOT_VALID): Promise<void> {
  expectUnauthenticated(await rejectionOf(authenticate(authorization)), message)
}

function expectUnauthenticated(error: Error, message: string): void {
  expect(error).toBeInstanceOf(Unauthenticated)
  expect(error).toMatchObject({ code: 'UNAUTHENTICATED', message })
}
