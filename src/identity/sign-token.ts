import { createSecretKey } from 'node:crypto'
import { SignJWT } from 'jose'
import type { Clock } from '../clock.js'
import type { AuthenticationConfig } from '../config.js'
import { addDuration, type Duration } from '../duration.js'

/** Life of a token that development mode hands out. */
const LIFETIME: Duration = 'PT12H'

export interface SignedToken {
  token: string
  expiresAt: Date
}

/** Signs a bearer token with the shared secret: for development, where there is no identity provider. */
export async function signToken(
  config: AuthenticationConfig & { jwtSecret: string },
  clock: Clock,
  claims: { userId: string; name?: string | undefined; scopes: string[] },
  lifetime = LIFETIME
): Promise<SignedToken> {
  const now = clock.now()
  const expiresAt = new Date(Math.floor(addDuration(now, lifetime).getTime() / 1000) * 1000)
  const payload = {
    ...(claims.name ? { name: claims.name } : {}),
    ...(claims.scopes.length > 0 ? { scope: claims.scopes.join(' ') } : {})
  }
  const jwt = new SignJWT(payload)
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(claims.userId)
    .setIssuedAt(now)
    .setExpirationTime(expiresAt)
  if (config.issuer) jwt.setIssuer(config.issuer)
  if (config.audience) jwt.setAudience(config.audience)
  return { token: await jwt.sign(createSecretKey(config.jwtSecret, 'utf8')), expiresAt }
}
