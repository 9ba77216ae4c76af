import { createSecretKey, hash } from 'node:crypto'
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.js'
import { isCanonicalCompact } from '../compact-form.js'
import type { AuthenticationConfig } from '../config.js'
import { Unauthenticated } from '../errors.js'
import { isName, isUserId } from './user-id.js'
import type { Viewer } from './viewer.js'

/** Turns the value of an Authorization header into a viewer, or throws {@link Unauthenticated}. */
export type Authenticate = (authorization: string) => Promise<Viewer>

/** The latest instant that a Date holds (ECMA-262, section 21.4.1.1). */
const LAST_INSTANT_MS = 8.64e15

/**
 * How long a token is not verified again: a tenth of a send's time goes into that. A key that was withdrawn from the
 * JWKS is honoured for so much longer than the JWKS itself is kept.
 */
const VERIFIED_MS = 60_000
const VERIFIED_MAX = 10_000

const SHARED_SECRET_ALGORITHMS = ['HS256']
const PUBLIC_KEY_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']

const NOT_VALID = 'The token is not valid here.'

/**
 * Verifies bearer tokens (RFC 6750, RFC 7519). The algorithms follow from the configuration and
 * never from the token, so that a public key cannot be passed off as a shared secret (RFC 8725,
 * section 3.1).
 *
 * @param options.mustExpire whether a token without `exp` is refused: nothing else ends it
 */
export function createAuthenticate(
  config: AuthenticationConfig,
  clock: Clock,
  { mustExpire }: { mustExpire: boolean }
): Authenticate {
  const verify = createVerify(config)
  const requiredClaims = mustExpire ? ['sub', 'exp'] : ['sub']
  const verified = new LRUCache<string, Viewer>({ max: VERIFIED_MAX, ttl: VERIFIED_MS })
  return async (authorization) => {
    const token = /^Bearer +([^ ]+)$/i.exec(authorization)?.[1]
    if (!token) throw new Unauthenticated('The Authorization header must be "Bearer " and a token.')
    const digest = hash('sha256', token, 'base64')
    const known = verified.get(digest)
    if (known && (!known.expiresAt || known.expiresAt > clock.now())) return known
    // Whoever has one token would have many, each of them another one to a list of those that were withdrawn.
    if (!isCanonicalCompact(token)) throw new Unauthenticated(NOT_VALID)
    const payload = await verify(token, {
      currentDate: clock.now(),
      requiredClaims,
      ...(config.issuer ? { issuer: config.issuer } : {}),
      ...(config.audience ? { audience: config.audience } : {})
    })
    const viewer = toViewer(payload)
    verified.set(digest, viewer)
    return viewer
  }
}

function createVerify(config: AuthenticationConfig) {
  if (config.jwksUrl) {
    const keys = createRemoteJWKSet(config.jwksUrl)
    return (token: string, options: JWTVerifyOptions) =>
      jwtVerify(token, keys, { ...options, algorithms: PUBLIC_KEY_ALGORITHMS }).then(({ payload }) => payload, refuse)
  }
  const secret = createSecretKey(config.jwtSecret ?? '', 'utf8')
  return (token: string, options: JWTVerifyOptions) =>
    jwtVerify(token, secret, { ...options, algorithms: SHARED_SECRET_ALGORITHMS }).then(
      ({ payload }) => payload,
      refuse
    )
}

/** What is wrong with the token itself. Anything else, an identity provider out of reach included, is not its fault. */
const TOKEN_FAULTS = [
  errors.JWTInvalid,
  errors.JWTClaimValidationFailed,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys
]

function refuse(error: unknown): never {
  if (error instanceof errors.JWTExpired) throw new Unauthenticated('The token has expired. Get a new one.')
  if (TOKEN_FAULTS.some((fault) => error instanceof fault)) throw new Unauthenticated(NOT_VALID)
  throw error
}

function toViewer(payload: JWTPayload): Viewer {
  const id = payload.sub
  if (typeof id !== 'string' || !isUserId(id)) throw new Unauthenticated('The token has no usable "sub" claim.')
  const { name, scope } = payload
  return {
    id,
    name: typeof name === 'string' && isUserName(name) ? name : id,
    scopes: new Set(typeof scope === 'string' ? scope.split(' ').filter(Boolean) : []),
    expiresAt: payload.exp === undefined ? null : new Date(Math.min(payload.exp * 1000, LAST_INSTANT_MS))
  }
}

function isUserName(name: string): boolean {
  return isName(name) && name.trim() !== ''
}
