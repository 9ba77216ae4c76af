import { describe, expect, it } from 'vitest'
import { hasScope, requireScope } from '../../../src/conversation-key/key-rights.js'
import { Forbidden } from '../../../src/errors.js'
import type { KeyScope } from '../../../src/identity/scopes.js'
import type { Viewer } from '../../../src/identity/viewer.js'
import { thrownBy } from '../failures.js'

const REFUSED: [scopes: string[], wanted: KeyScope][] = [
  [[], 'keys:read'],
  [[], 'keys:admin'],
  [['keys:read'], 'keys:admin'],
  [['keys'], 'keys:read'],
  [['keys:*'], 'keys:admin'],
  [['*'], 'keys:read'],
  [['keys:readonly'], 'keys:read'],
  [['KEYS:READ'], 'keys:read'],
  [['keys:admin '], 'keys:admin'],
  [['keys:admin '], 'keys:read'],
  [['keys:read keys:admin'], 'keys:admin'],
  [['messages:read', 'admin'], 'keys:read']
]

const GRANTED: [scopes: string[], wanted: KeyScope][] = [
  [['keys:read'], 'keys:read'],
  [['keys:admin'], 'keys:read'],
  [['keys:admin'], 'keys:admin'],
  [['openid', 'keys:read'], 'keys:read'],
  [['keys:read', 'keys:admin'], 'keys:admin']
]

describe('a token with the scopes', () => {
  it.each(REFUSED)('%j is refused what needs %s', (scopes, wanted) => {
    expect(hasScope(viewerWith(scopes), wanted)).toBe(false)
    const refused = thrownBy(() => requireScope(viewerWith(scopes), wanted))
    expect(refused).toBeInstanceOf(Forbidden)
    expect(refused).toMatchObject({ code: 'FORBIDDEN', message: `This needs a token with the scope ${wanted}.` })
  })

  it.each(GRANTED)('%j may do what needs %s', (scopes, wanted) => {
    expect(hasScope(viewerWith(scopes), wanted)).toBe(true)
    expect(() => requireScope(viewerWith(scopes), wanted)).not.toThrow()
  })
})

describe('a user', () => {
  it('has no scope by being called like one', () => {
    const viewer = { ...viewerWith([]), id: 'keys:admin', name: 'keys:admin' }
    expect(hasScope(viewer, 'keys:read')).toBe(false)
    expect(hasScope(viewer, 'keys:admin')).toBe(false)
  })
})

function viewerWith(scopes: string[]): Viewer {
  return { id: 'alice', name: 'Alice', scopes: new Set(scopes), expiresAt: null }
}
