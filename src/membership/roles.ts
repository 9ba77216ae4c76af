import { LockMode } from '@mikro-orm/core'
import type { EntityManager } from '@mikro-orm/postgresql'
import { type Conversation, ConversationEntity, MemberEntity, type MemberRole } from '../database/entities.js'
import { Forbidden, NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'

/** What each role may do beyond reading, sending, and changing what is its own. */
export type Right =
  | 'add members'
  | 'remove members'
  | 'set roles'
  | 'rename'
  | 'delete the conversation'
  | 'delete messages'

const RIGHTS: Record<MemberRole, ReadonlySet<Right>> = {
  OWNER: new Set<Right>([
    'add members',
    'remove members',
    'set roles',
    'rename',
    'delete the conversation',
    'delete messages'
  ]),
  MODERATOR: new Set<Right>(['remove members', 'delete messages']),
  MEMBER: new Set<Right>()
}

export function mayRole(role: MemberRole, right: Right): boolean {
  return RIGHTS[role].has(right)
}

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
 * Locks are taken in one order everywhere, members before their conversation, so that a send, which
 * does the same in its one statement, and a removal cannot deadlock.
 *
 * @throws NotFound when the viewer is not a member; Forbidden when the role lacks the right
 */
export async function requireRight(
  em: EntityManager,
  conversationId: string,
  viewer: Viewer,
  right: Right
): Promise<MemberRole> {
  const role = await lockMembership(em, conversationId, viewer.id)
  if (!mayRole(role, right)) throw new Forbidden(`Your role in this conversation does not allow you to ${right}.`)
  return role
}

/** @throws NotFound when the user is not a member of a conversation that is not deleted */
export async function lockMembership(em: EntityManager, conversationId: string, userId: string): Promise<MemberRole> {
  const [row] = await em.execute<{ role: MemberRole }[]>(
    `select m.role from members m join conversations c on c.id = m.conversation_id
      where m.conversation_id = ? and m.user_id = ? and c.deleted_at is null
        for share of m`,
    [conversationId, userId]
  )
  if (!row) throw new NotFound('conversation')
  return row.role
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
