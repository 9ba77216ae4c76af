import { createHmac, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Unauthenticated } from '../../../src/errors.js'
import { createAuthenticate } from '../../../src/identity/authenticate.js'
import { isUserId } from '../../../src/identity/user-id.js'
import type { Viewer } from '../../../src/identity/viewer.js'
import { anyText, checkAsync, textDamages } from '../../support/properties.js'
import { TestClock } from '../../support/test-clock.js'

const NOW = Date.parse('2026-11-01T12:00:00Z') / 1000
const jwtSecret = randomBytes(64).toString('base64')
const authenticate = createAuthenticate(
  { jwtSecret, jwksUrl: null, issuer: null, audience: null },
  new TestClock(new Date(NOW * 1000)),
  { mustExpire: false }
)

const claim = fc.oneof(fc.jsonValue(), fc.constantFrom(NOW, NOW + 60, NOW - 60, 1e300, -1, 'alice', '', null))
const claims = fc.dictionary(
  fc.oneof(fc.constantFrom('sub', 'name', 'scope', 'exp', 'nbf', 'iat', 'iss', 'aud', 'jti', '__proto__'), anyText(10)),
  claim
)
const honest = fc.record({
  sub: fc.string({ minLength: 1, maxLength: 20 }).filter(isUserId),
  exp: fc.constant(NOW + 60)
})
const header = fc.oneof(
  fc.constant({ alg: 'HS256' }),
  fc.dictionary(
    fc.constantFrom('alg', 'typ', 'crit', 'b64', 'kid', 'jku', 'jwk', 'x5c', 'zip', 'enc', 'cty', '__proto__'),
    fc.oneof(fc.jsonValue(), fc.constantFrom('HS256', 'none', 'RS256', 'b64', ['b64'], ['exp'], false))
  )
)
/** JSON, or what is none. */
const part = (of: fc.Arbitrary<object>) =>
  fc.oneof({ weight: 5, arbitrary: of.map((o) => JSON.stringify(o)) }, anyText(30))

describe('a bearer token', () => {
  it('is good as it was signed, and in no other spelling', async () => {
    await checkAsync(
      fc.asyncProperty(honest, textDamages, async (payload, spoil) => {
        const token = sign(JSON.stringify({ alg: 'HS256' }), JSON.stringify(payload))
        expect((await viewerOf(`Bearer ${token}`))?.id).toBe(payload.sub)
        const spoiled = spoil(token)
        fc.pre(spoiled !== token && spoiled.trimStart() !== token)
        expect(await viewerOf(`Bearer ${spoiled}`)).toBeNull()
      }),
      1000
    )
  })

  it('is good in one spelling of its signature only', async () => {
    const token = sign(JSON.stringify({ alg: 'HS256' }), JSON.stringify({ sub: 'alice' }))
    const respelled = [
      ...[...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].map(
        (last) => token.slice(0, -1) + last
      ),
      token.replaceAll('-', '+'),
      token.replaceAll('_', '/'),
      ...['=', '==', '\n', '\t', '\u00a0', '.', '%3D'].map((more) => token + more),
      `${token.slice(0, -5)}\n${token.slice(-5)}`
    ].filter((other) => other !== token)
    for (const other of respelled) expect(await viewerOf(`Bearer ${other}`), JSON.stringify(other)).toBeNull()
  })

  it('that is signed by the secret, whatever it says, is a viewer with a usable id or refused', async () => {
    await checkAsync(
      fc.asyncProperty(part(header), part(fc.oneof(claims, honest)), async (protectedHeader, payload) => {
        const viewer = await viewerOf(`Bearer ${sign(protectedHeader, payload)}`)
        if (!viewer) return
        expect(JSON.parse(protectedHeader).alg).toBe('HS256')
        expect(isUserId(viewer.id)).toBe(true)
        expect(viewer.id).toBe(JSON.parse(payload).sub)
        expect(viewer.name).not.toBe('')
        if (viewer.expiresAt) expect(viewer.expiresAt.getTime()).toBeGreaterThan(NOW * 1000)
      }),
      2000
    )
  })

  it('that is not signed by the secret is refused', async () => {
    const unsigned = fc
      .tuple(part(header), part(fc.oneof(claims, honest)), anyText(60))
      .map(
        ([protectedHeader, payload, signature]) => `${base64url(protectedHeader)}.${base64url(payload)}.${signature}`
      )
    const authorization = fc.oneof(
      unsigned.map((token) => `Bearer ${token}`),
      anyText().map((text) => `Bearer ${text}`),
      anyText()
    )
    await checkAsync(
      fc.asyncProperty(authorization, async (text) => {
        expect(await viewerOf(text)).toBeNull()
      }),
      2000
    )
  })

  it('is refused in time that grows with its length and not faster', async () => {
    const before = process.cpuUsage()
    for (const unit of ['a', '.', ' ', 'Bearer ', 'e30.']) {
      expect(await viewerOf(`Bearer ${unit.repeat(1_000_000)}`)).toBeNull()
      expect(await viewerOf(unit.repeat(1_000_000))).toBeNull()
    }
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(20_000)
  })
})

/** Null for what was refused; the test fails when it was refused in any other way than the documented one. */
async function viewerOf(authorization: string): Promise<Viewer | null> {
  try {
    return await authenticate(authorization)
  } catch (error) {
    expect(error, authorization.slice(0, 200)).toBeInstanceOf(Unauthenticated)
    return null
  }
}

function sign(protectedHeader: string, payload: string): string {
  const signed = `${base64url(protectedHeader)}.${base64url(payload)}`
  return `${signed}.${createHmac('sha256', jwtSecret).update(signed).digest('base64url')}`
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url')
}
