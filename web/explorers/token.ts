const KEY = 'conclave.explorer-token'

/** The token of this window; it is gone when the window is. */
export function storedToken(): string {
  return sessionStorage.getItem(KEY) ?? ''
}

export function storeToken(token: string): void {
  if (token) sessionStorage.setItem(KEY, token)
  else sessionStorage.removeItem(KEY)
}

/** Whose token it is and until when, by its claims, which only the server verifies; null for what is no token. */
export function ownerOf(token: string): { name: string; expiresAt: Date | null } | null {
  const [, payload = ''] = token.split('.')
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))
    const { sub, exp } = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: string; exp?: number }
    return sub ? { name: sub, expiresAt: exp ? new Date(exp * 1000) : null } : null
  } catch {
    return null
  }
}
