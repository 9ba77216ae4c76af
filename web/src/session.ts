/** Who is signed in, in this window: another window may be somebody else. */
export interface Session {
  token: string
  userId: string
  name: string
  scopes: string[]
}

const KEY = 'conclave.session'

export function storedSession(): Session | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as Session | null
  } catch {
    return null
  }
}

export function storeSession(session: Session | null): void {
  if (session) sessionStorage.setItem(KEY, JSON.stringify(session))
  else sessionStorage.removeItem(KEY)
}

/**
 * Reads the claims of a token, which only the server verifies.
 *
 * @throws Error when it is no JWT
 */
export function sessionOf(token: string): Session {
  const [, payload = ''] = token.trim().split('.')
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as { sub: string; name?: string; scope?: string }
    if (typeof claims.sub !== 'string') throw new Error('no sub')
    const scopes = claims.scope?.split(' ').filter(Boolean) ?? []
    return { token: token.trim(), userId: claims.sub, name: claims.name ?? claims.sub, scopes }
  } catch {
    throw new Error('That is not a bearer token.')
  }
}
