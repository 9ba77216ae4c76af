import { LockMode } from '@mikro-orm/core'
import type { EntityManager } from '@mikro-orm/postgresql'
import { type Conversation, ConversationEntity, MemberEntity, type MemberRole } from '../database/entities.js'
import { Forbidden, NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { mayRole, type Right } from './rights.js'

/** The user's role in a conversation that is not deleted, or null. */
export async function memberRole(
  em: EntityManager,
  conversationId: string,
  userId: string
): Promise<MemberRole | null> {
  const [row] = await em.execute<{ role: MemberRole }[]>(
    `select m.role from members m join conversations c on c.id = m.conversation_id
      where m.conversation_id = ? and m.user_id = ? and c.deleted_at is null`,
    [conversationId, userId]
  )
  return row?.role ?? null
}

/**
 * The viewer's role, locked: it cannot change, nor the viewer leave, before the transaction ends.
 *
 * @throws NotFound when the viewer is not a member; Forbidden when the role lacks the right
 */
export async function requireRight(
  em: EntityManager,
  conversationId: string,
  viewer: Viewer,
  right: Right
): Promise<MemberRole> {
  const { role } = await requireRightOver(em, conversationId, viewer, viewer.id, right)
  return role
}

/**
 * The same for a right that the viewer uses on another member, whose role is locked as well.
 *
 * @throws NotFound also when the other is not a member
 */
export async function requireRightOver(
  em: EntityManager,
  conversationId: string,
  viewer: Viewer,
  otherId: string,
  right: Right
): Promise<{ role: MemberRole; otherRole: MemberRole }> {
  const roles = await lockMembers(em, conversationId, [viewer.id, otherId])
  const [role, otherRole] = [roles.get(viewer.id), roles.get(otherId)]
  if (!role) throw new NotFound('conversation')
  if (!mayRole(role, right)) throw new Forbidden(`Your role in this conversation does not allow you to ${right}.`)
  if (!otherRole) throw new NotFound('member')
  return { role, otherRole }
}

/**
 * Locks members of a conversation that is not deleted, and returns their roles.
 *
 * Locks are taken in one order everywhere: members by id, all at once and in full, and then their
 * conversation. A send does the same in its one statement, so none of them deadlocks with another. Operations on keys come between the two, and the
 * chains of the audit trail after both.
 */
export async function lockMembers(
  em: EntityManager,
  conversationId: string,
  userIds: string[]
): Promise<Map<string, MemberRole>> {
  const rows = await em.execute<{ userId: string; role: MemberRole }[]>(
    `select m.user_id as "userId", m.role
       from members m join conversations c on c.id = m.conversation_id
      where m.conversation_id = ? and m.user_id in (?) and c.deleted_at is null
      order by m.user_id
        for update of m`,
    [conversationId, userIds]
  )
  return new Map(rows.map(({ userId, role }) => [userId, role]))
}

/** @throws NotFound when the conversation was deleted */
export async function lockConversation(em: EntityManager, conversationId: string): Promise<Conversation> {
  const found = await em.findOne(
    ConversationEntity,
    { id: conversationId, deletedAt: null },
    { lockMode: LockMode.PESSIMISTIC_WRITE }
  )
  if (!found) throw new NotFound('conversation')
  return found
}

/** Owners that a conversation has, as the locked transaction sees them. */
export async function countOwners(em: EntityManager, conversationId: string): Promise<number> {
  return await em.count(MemberEntity, { conversationId, role: 'OWNER' })
}
