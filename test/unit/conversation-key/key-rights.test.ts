import type { EntityManager } from '@mikro-orm/postgresql'
import { describe, expect, it, vi } from 'vitest'
import {
  auditRefusal,
  hasScope,
  requireAuditor,
  requireKeyRights,
  requireScope
} from '../../../src/conversation-key/key-rights.js'
import { recordRefusal } from '../../../src/conversation-key/record-refusal.js'
import { ConversationEntity, type MemberRole } from '../../../src/database/entities.js'
import { Forbidden, NotFound } from '../../../src/errors.js'
import type { KeyScope } from '../../../src/identity/scopes.js'
import type { Viewer } from '../../../src/identity/viewer.js'
import { lockMembers, memberRole } from '../../../src/membership/roles.js'
import { rejectionOf, thrownBy } from '../failures.js'

// What stands in the database, and what is written there, is in test/flow/keys.test.ts and audit.test.ts.
vi.mock('../../../src/membership/roles.js')
vi.mock('../../../src/conversation-key/record-refusal.js')

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

  it('has no scope that does not exist by having another', () => {
    expect(hasScope(viewerWith(['keys:admin']), 'keys:write' as KeyScope)).toBe(false)
  })
})

describe('the right to rotate the key of a conversation and to set its policy', () => {
  const ONLY_OWNER = 'Only the owner of a conversation, or scope keys:admin, can do this with its key.'
  const em = (inTransaction: boolean, found = 1) =>
    ({ isInTransaction: () => inTransaction, count: vi.fn(async () => found) }) as unknown as EntityManager
  const roleIs = (role: MemberRole | null) => {
    vi.mocked(memberRole).mockResolvedValue(role)
    vi.mocked(lockMembers).mockResolvedValue(new Map(role ? [['alice', role]] : []))
  }

  it.each([true, false])('is the owner’s alone, in a transaction: %s', async (inTransaction) => {
    roleIs(null)
    expect(await rejectionOf(requireKeyRights(em(inTransaction), viewerWith([]), 'c1'))).toBeInstanceOf(NotFound)
    for (const role of ['MEMBER', 'MODERATOR'] as const) {
      roleIs(role)
      const refused = await rejectionOf(requireKeyRights(em(inTransaction), viewerWith(['keys:read']), 'c1'))
      expect(refused).toMatchObject({ code: 'FORBIDDEN', message: ONLY_OWNER })
    }
    roleIs('OWNER')
    await requireKeyRights(em(inTransaction), viewerWith([]), 'c1')
  })

  it('is locked in a transaction, so that it lasts until its end', async () => {
    roleIs('OWNER')
    vi.clearAllMocks()
    const manager = em(true)
    await requireKeyRights(manager, viewerWith([]), 'c1')
    expect(lockMembers).toHaveBeenCalledExactlyOnceWith(manager, 'c1', ['alice'])
    expect(memberRole).not.toHaveBeenCalled()
  })

  it('is that of the scope keys:admin in every conversation that exists', async () => {
    roleIs(null)
    await requireKeyRights(em(false), viewerWith(['keys:admin']), 'c1')
    const manager = em(false, 0)
    const refused = await rejectionOf(requireKeyRights(manager, viewerWith(['keys:admin']), 'c1'))
    expect(refused).toMatchObject({ code: 'NOT_FOUND', message: new NotFound('conversation').message })
    expect(manager.count).toHaveBeenCalledWith(ConversationEntity, { id: 'c1', deletedAt: null })
  })
})

describe('an operation on keys', () => {
  const now = new Date('2026-11-01T00:00:00Z')
  const transaction = async (work: (em: EntityManager) => Promise<unknown>) => await work({} as EntityManager)
  const rateLimits = { require: vi.fn() }
  const services = { database: { transaction }, clock: { now: () => now }, rateLimits } as unknown as Parameters<
    typeof requireAuditor
  >[0]

  it('that is refused is recorded before the refusal is passed on', async () => {
    vi.mocked(recordRefusal).mockReset()
    const asked = { operation: 'rotateKey', conversationId: 'c1', keyVersion: 3 }
    const refusal = new Forbidden('No.')
    const refused = await rejectionOf(auditRefusal(services, viewerWith([]), asked, () => Promise.reject(refusal)))
    expect(refused).toBe(refusal)
    expect(recordRefusal).toHaveBeenCalledExactlyOnceWith(expect.anything(), {
      at: now,
      actor: 'alice',
      ...asked,
      code: 'FORBIDDEN'
    })
  })

  it('that fails in another way is no refusal, and one that is done is none either', async () => {
    vi.mocked(recordRefusal).mockReset()
    const fault = new Error('a fault')
    const asked = { operation: 'rotateKey' }
    expect(await rejectionOf(auditRefusal(services, viewerWith([]), asked, () => Promise.reject(fault)))).toBe(fault)
    expect(await auditRefusal(services, viewerWith([]), asked, async () => 7)).toBe(7)
    expect(recordRefusal).not.toHaveBeenCalled()
  })

  it('that reads inventories or the audit trail needs the scope keys:read, and is recorded without it', async () => {
    vi.mocked(recordRefusal).mockReset()
    await requireAuditor(services, viewerWith(['keys:read']), { operation: 'keyEvents' }, null)
    expect(recordRefusal).not.toHaveBeenCalled()
    const refused = await rejectionOf(requireAuditor(services, viewerWith([]), { operation: 'keyEvents' }, null))
    expect(refused).toMatchObject({ code: 'FORBIDDEN', message: 'This needs a token with the scope keys:read.' })
    expect(vi.mocked(recordRefusal).mock.calls[0]?.[1]).toMatchObject({
      operation: 'keyEvents',
      conversationId: null,
      keyVersion: null
    })
  })
})

function viewerWith(scopes: string[]): Viewer {
  return { id: 'alice', name: 'Alice', scopes: new Set(scopes), expiresAt: null }
}
