import type { EntityManager } from '@mikro-orm/postgresql'
import { effectivePolicy } from '../conversation-key/key-policy.js'
import {
  type Conversation,
  MemberEntity,
  type MemberRole,
  type RotationReason,
  UserEntity
} from '../database/entities.js'
import { BadUserInput, Conflict, Forbidden, NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { countOwners, lockConversation, lockMembers, requireRight, requireRightOver } from '../membership/roles.js'
import type { Services } from '../services.js'
import { changeConversation } from './change-conversation.js'
import { requireUserIds } from './create-conversation.js'

type ChangeServices = Pick<
  Services,
  'keySupply' | 'keyDefaultsId' | 'sendingKeys' | 'signals' | 'clock' | 'config' | 'users'
>

const NO_OWNER_LEFT = 'A conversation needs an owner: make another member owner first, or delete the conversation.'

/** Adds members; those who are in already stay as they are. */
export async function addMembers(
  services: ChangeServices,
  viewer: Viewer,
  conversationId: string,
  userIds: string[]
): Promise<void> {
  const ids = requireUserIds('userIds', userIds)
  await changeConversation(services, viewer, conversationId, async (em) => {
    await requireRight(em, conversationId, viewer, 'add members')
    await services.users.ensure(em, ids)
    const conversation = await lockConversation(em, conversationId)
    const present = await em.find(MemberEntity, { conversationId, userId: { $in: ids } })
    const added = ids.filter((userId) => !present.some((member) => member.userId === userId))
    const visibleAfter = conversation.historyVisibility === 'FULL' ? 0 : conversation.lastSequence
    const joinedAt = services.clock.now()
    const rows = added.map((userId) => ({
      conversationId,
      userId,
      role: 'MEMBER' as const,
      joinedAt,
      visibleAfter,
      joinedChange: conversation.lastChange,
      lastReadSequence: visibleAfter
    }))
    if (rows.length > 0) await em.insertMany(MemberEntity, rows)
    const notice = added.length > 0 ? `${viewer.name} added ${listed(await userNames(em, added))}` : null
    return { conversation, notice, members: added }
  })
}

/** Removes a member. A moderator removes members; only an owner removes moderators and owners. */
export async function removeMember(
  services: ChangeServices,
  viewer: Viewer,
  conversationId: string,
  userId: string
): Promise<void> {
  if (userId === viewer.id) throw new BadUserInput('userId', 'To leave a conversation yourself, use leaveConversation.')
  await changeConversation(services, viewer, conversationId, async (em) => {
    const { role, otherRole } = await requireRightOver(em, conversationId, viewer, userId, 'remove members')
    if (role !== 'OWNER' && otherRole !== 'MEMBER')
      throw new Forbidden('Only an owner can remove a moderator or an owner.')
    const conversation = await takeOut(em, conversationId, userId)
    const [name] = await userNames(em, [userId])
    return {
      conversation,
      notice: `${viewer.name} removed ${name}`,
      members: [userId],
      rotate: afterRemoval(services, conversation)
    }
  })
}

export async function leaveConversation(
  services: ChangeServices,
  viewer: Viewer,
  conversationId: string
): Promise<void> {
  await changeConversation(services, viewer, conversationId, async (em) => {
    const role = (await lockMembers(em, conversationId, [viewer.id])).get(viewer.id)
    if (!role) throw new NotFound('conversation')
    const conversation = await takeOut(em, conversationId, viewer.id)
    return {
      conversation,
      notice: `${viewer.name} left`,
      members: [viewer.id],
      rotate: afterRemoval(services, conversation)
    }
  })
}

export async function setMemberRole(
  services: ChangeServices,
  viewer: Viewer,
  conversationId: string,
  userId: string,
  role: MemberRole
): Promise<void> {
  await changeConversation(services, viewer, conversationId, async (em) => {
    const { otherRole: before } = await requireRightOver(em, conversationId, viewer, userId, 'set roles')
    await em.nativeUpdate(MemberEntity, { conversationId, userId }, { role })
    const conversation = await lockConversation(em, conversationId)
    if ((await countOwners(em, conversationId)) === 0) throw new Conflict(NO_OWNER_LEFT)
    const [name] = await userNames(em, [userId])
    return { conversation, notice: before === role ? null : `${viewer.name} made ${name} ${role.toLowerCase()}` }
  })
}

/** Deletes the membership, and only then locks the conversation: see the order of locks in roles.ts. */
async function takeOut(em: EntityManager, conversationId: string, userId: string): Promise<Conversation> {
  await em.nativeDelete(MemberEntity, { conversationId, userId })
  const conversation = await lockConversation(em, conversationId)
  if ((await countOwners(em, conversationId)) === 0) throw new Conflict(NO_OWNER_LEFT)
  return conversation
}

async function userNames(em: EntityManager, ids: string[]): Promise<string[]> {
  const users = await em.find(UserEntity, { id: { $in: ids } })
  return ids.map((id) => users.find((user) => user.id === id)?.name ?? id)
}

/** A few names in full, the rest as a number: a notice stays short however many are added at once. */
function listed(names: string[]): string {
  const shown = names.slice(0, 5)
  return names.length > shown.length ? `${shown.join(', ')} and ${names.length - shown.length} more` : shown.join(', ')
}

/** What is sent after a member has gone lies under a key that did not exist while that member was in. */
function afterRemoval({ config }: Pick<Services, 'config'>, { keyPolicy }: Conversation): RotationReason | null {
  return effectivePolicy(config.keyPolicy, keyPolicy).rotateOnMemberRemoval ? 'MEMBER_REMOVED' : null
}
