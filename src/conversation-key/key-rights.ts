import type { EntityManager } from '@mikro-orm/postgresql'
import { ConversationEntity } from '../database/entities.js'
import { ConclaveError, Forbidden, NotFound } from '../errors.js'
import type { KeyScope } from '../identity/scopes.js'
import type { Viewer } from '../identity/viewer.js'
import { lockMembers, memberRole } from '../membership/roles.js'
import type { Services } from '../services.js'
import { recordRefusal } from './record-refusal.js'

/** @throws Forbidden without the scope; `keys:admin` includes reading */
export function requireScope(viewer: Viewer, scope: KeyScope): void {
  if (!hasScope(viewer, scope)) throw new Forbidden(`This needs a token with the scope ${scope}.`)
}

export function hasScope({ scopes }: Viewer, scope: KeyScope): boolean {
  return scopes.has(scope) || (scope === 'keys:read' && scopes.has('keys:admin'))
}

/**
 * The owner of a conversation rotates its key and sets its policy; an administrator of keys those of any,
 * without being a member. In a transaction the membership is locked, so that the right lasts until it ends.
 *
 * @throws NotFound for a stranger, Forbidden for a member who is neither
 */
export async function requireKeyRights(em: EntityManager, viewer: Viewer, conversationId: string): Promise<void> {
  if (hasScope(viewer, 'keys:admin')) return await requireExists(em, conversationId)
  const role = em.isInTransaction()
    ? (await lockMembers(em, conversationId, [viewer.id])).get(viewer.id)
    : await memberRole(em, conversationId, viewer.id)
  if (!role) throw new NotFound('conversation')
  if (role !== 'OWNER')
    throw new Forbidden('Only the owner of a conversation, or scope keys:admin, can do this with its key.')
}

async function requireExists(em: EntityManager, conversationId: string): Promise<void> {
  const found = await em.count(ConversationEntity, { id: conversationId, deletedAt: null })
  if (found === 0) throw new NotFound('conversation')
}

/** Runs an operation on keys; one that is refused is recorded in the audit trail before the refusal is passed on. */
export async function auditRefusal<T>(
  { database, clock }: Pick<Services, 'database' | 'clock'>,
  viewer: Viewer,
  asked: { operation: string; conversationId?: string; keyVersion?: number },
  operate: () => Promise<T>
): Promise<T> {
  try {
    return await operate()
  } catch (error) {
    if (!(error instanceof ConclaveError)) throw error
    const { operation, conversationId = null, keyVersion = null } = asked
    const refusal = { at: clock.now(), actor: viewer.id, conversationId, keyVersion, operation, code: error.code }
    await database.transaction((em) => recordRefusal(em, refusal))
    throw error
  }
}

/**
 * Requires the scope for reading inventories and the audit trail; who lacks it is recorded there.
 *
 * @throws RateLimited to whoever is refused too often: each record is a transaction
 */
export async function requireAuditor(
  services: Pick<Services, 'database' | 'clock' | 'rateLimits'>,
  viewer: Viewer,
  asked: { operation: string; conversationId?: string },
  address: string | null
): Promise<void> {
  if (hasScope(viewer, 'keys:read')) return
  await services.rateLimits.require('KEY_OPERATIONS', viewer, address)
  await auditRefusal(services, viewer, asked, async () => requireScope(viewer, 'keys:read'))
}
