import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import {
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
  UnsecuredJWT
} from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Unauthenticated } from '../../../src/errors.js'
import { type Authenticate, createAuthenticate } from '../../../src/identity/authenticate.js'
import { BRIEF, checkAsync, textDamages } from '../../support/properties.js'
import { TestClock } from '../../support/test-clock.js'
import { rejectionOf } from '../failures.js'

interface ProviderKey {
  publicKey: CryptoKey
  privateKey: CryptoKey
  jwk: JWK
}

const ACCEPTED = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']
const NOT_ACCEPTED = ['RS384', 'RS512', 'PS384', 'PS512', 'ES384', 'ES512']
const clock = new TestClock(new Date('2026-11-01T12:00:00Z'))
const keys = new Map<string, ProviderKey>()
let provider: Server
let authenticate: Authenticate

beforeAll(async () => {
  for (const alg of [...ACCEPTED, ...NOT_ACCEPTED]) keys.set(alg, await generateProviderKey(alg))
  const set = JSON.stringify({ keys: [...keys.values()].map(({ jwk }) => jwk) })
  provider = createServer((_, response) => response.setHeader('content-type', 'application/json').end(set))
  await once(provider.listen(0, '127.0.0.1'), 'listening')
  const jwksUrl = new URL(`http://127.0.0.1:${(provider.address() as AddressInfo).port}/jwks.json`)
  authenticate = createAuthenticate({ jwtSecret: null, jwksUrl, issuer: 'https://id', audience: 'conclave' }, clock, {
    mustExpire: false
  })
})
afterAll(async () => {
  provider.closeAllConnections()
  await new Promise((resolve) => provider.close(resolve))
})

describe("a bearer token under an identity provider's key set", () => {
  it('is refused with a public key of the set for a shared secret', async () => {
    const { publicKey, jwk } = keyFor('RS256')
    const pem = await exportSPKI(publicKey)
    const modulus = Buffer.from(jwk.n ?? '', 'base64url')
    for (const secret of [pem, pem.trim(), `${pem}\n`, modulus, JSON.stringify(jwk)]) {
      await expectRefused(signByHand({ alg: 'HS256', kid: 'RS256' }, secret))
      await expectRefused(signByHand({ alg: 'RS256', kid: 'RS256' }, secret))
    }
  })

  it.each(['HS256', 'HS384', 'HS512'])('is refused with the algorithm %s', async (alg) => {
    const secret = new TextEncoder().encode('x'.repeat(64))
    await expectRefused(await claims().setProtectedHeader({ alg }).sign(secret))
  })

  it('is refused without a signature', async () => {
    await expectRefused(new UnsecuredJWT({ sub: 'alice', iss: 'https://id', aud: 'conclave' }).encode())
  })

  it.each(NOT_ACCEPTED)('is refused with %s, though such a key is in the set', async (alg) => {
    await expectRefused(await sign(alg))
  })

  it('is refused when its key is not in the set', async () => {
    const stranger = await generateProviderKey('RS256')
    await expectRefused(await claims().setProtectedHeader({ alg: 'RS256', kid: 'unknown' }).sign(stranger.privateKey))
  })

  it('is refused when it names a key of the set and another has signed it', async () => {
    const stranger = await generateProviderKey('RS256')
    await expectRefused(await claims().setProtectedHeader({ alg: 'RS256', kid: 'RS256' }).sign(stranger.privateKey))
  })

  it('is refused when it names a key of another algorithm', async () => {
    await expectRefused(await sign('RS256', { alg: 'RS256', kid: 'PS256' }))
    await expectRefused(await sign('RS256', { alg: 'RS256', kid: 'ES256' }))
  })

  it('is refused when it brings its own key along', async () => {
    const { privateKey, jwk } = await generateProviderKey('ES256')
    const { kid: _, ...own } = jwk
    await expectRefused(await claims().setProtectedHeader({ alg: 'ES256', jwk: own }).sign(privateKey))
    await expectRefused(await claims().setProtectedHeader({ alg: 'ES256', kid: 'ES256', jwk: own }).sign(privateKey))
  })

  it('is refused once it has expired', async () => {
    const { privateKey } = keyFor('ES256')
    const expired = claims().setExpirationTime(clock.now()).setProtectedHeader({ alg: 'ES256', kid: 'ES256' })
    await expectRefused(await expired.sign(privateKey), 'The token has expired. Get a new one.')
  })

  it('is refused from another issuer, for another audience, and without a subject', async () => {
    const { privateKey } = keyFor('ES256')
    const wrong = [
      claims().setIssuer('https://evil'),
      claims().setAudience('billing'),
      new SignJWT({ iss: 'https://id', aud: 'conclave' })
    ]
    for (const jwt of wrong) {
      await expectRefused(await jwt.setProtectedHeader({ alg: 'ES256', kid: 'ES256' }).sign(privateKey))
    }
  })

  it.each(ACCEPTED)('is accepted with %s', async (alg) => {
    expect(await authenticate(`Bearer ${await sign(alg)}`)).toMatchObject({ id: 'alice', name: 'Alice' })
  })

  it.each(ACCEPTED)('is refused with %s once anything in it was changed', async (alg) => {
    const token = await sign(alg)
    const respelled = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '=', '\n'].map((last) => token.slice(0, -1) + last)
    const padded = ['=', '==', '\n'].map((more) => token + more)
    const changed = fc.oneof(
      fc.constantFrom(...respelled, ...padded),
      textDamages.map((spoil) => spoil(token))
    )
    await checkAsync(
      fc.asyncProperty(changed, async (other) => {
        // White space in front of it is none of it.
        fc.pre(other.trimStart() !== token)
        expect(await rejectionOf(authenticate(`Bearer ${other}`))).toBeInstanceOf(Unauthenticated)
      }),
      300,
      BRIEF
    )
  })

  it('needs no key id where the set has one key for its algorithm', async () => {
    expect((await authenticate(`Bearer ${await sign('ES256', { alg: 'ES256' })}`)).id).toBe('alice')
  })
})

async function generateProviderKey(alg: string): Promise<ProviderKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  return { publicKey, privateKey, jwk: { ...(await exportJWK(publicKey)), kid: alg, alg, use: 'sig' } }
}

function keyFor(alg: string): ProviderKey {
  return keys.get(alg) ?? expect.fail(`there is no key for ${alg}`)
}

function claims(): SignJWT {
  return new SignJWT({ name: 'Alice' }).setSubject('alice').setIssuer('https://id').setAudience('conclave')
}

async function sign(alg: string, header: JWTHeaderParameters = { alg, kid: alg }): Promise<string> {
  return await claims().setProtectedHeader(header).sign(keyFor(alg).privateKey)
}

function signByHand(header: object, secret: string | Buffer): string {
  const payload = { sub: 'alice', iss: 'https://id', aud: 'conclave' }
  const signed = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

async function expectRefused(token: string, message = 'The token is not valid here.'): Promise<void> {
  const error = await rejectionOf(authenticate(`Bearer ${token}`))
  expect(error).toBeInstanceOf(Unauthenticated)
  expect(error).toMatchObject({ code: 'UNAUTHENTICATED', message })
}
