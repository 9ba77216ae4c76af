import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from 'type-graphql'
import { addMembers, leaveConversation, removeMember, setMemberRole } from '../../conversation/change-members.js'
import { UNREAD_MAX } from '../../conversation/count-unread.js'
import { createConversation } from '../../conversation/create-conversation.js'
import { markRead } from '../../conversation/mark-read.js'
import { renameConversation } from '../../conversation/rename-conversation.js'
import {
  countConversations,
  listConversations,
  requireConversation,
  type ViewedConversation
} from '../../conversation/viewed-conversation.js'
import type { Member, MemberRole } from '../../database/entities.js'
import { deleteConversation } from '../../key-life/delete-conversation.js'
import type { Message } from '../../message/message.js'
import { connectionTypes, toConnection } from '../connection.js'
import { type Context, requireViewer } from '../context.js'
import { decodeCursor, encodeCursor } from '../cursor.js'
import { requireConversationId } from '../ids.js'
import { requirePageSize } from '../page-size.js'
import { ConversationPayload, ConversationType, CreateConversationInput, ReadPayload } from '../types/conversation.js'
import { MemberRoleEnum } from '../types/enums.js'
import { MemberType } from '../types/member.js'
import { MessageType } from '../types/message.js'
import { WEIGHT } from '../weights.js'

const ConversationConnection = connectionTypes('Conversation', () => ConversationType)
const MemberConnection = connectionTypes('Member', () => MemberType)

@Resolver(() => ConversationType)
export class ConversationResolver {
  @Query(() => ConversationType, {
    nullable: true,
    description: 'Null when absent, or when the viewer is not a member.'
  })
  async conversation(@Ctx() context: Context, @Arg('id', () => ID) id: string): Promise<ConversationType | null> {
    requireViewer(context)
    return await context.loaders.conversation.load(requireConversationId('id', id))
  }

  @Query(() => ConversationConnection, { description: 'Latest activity first.' })
  async conversations(
    @Ctx() context: Context,
    @Arg('first', () => Int, { nullable: true, defaultValue: 20 }) first: number | null,
    @Arg('after', () => String, { nullable: true }) after: string | null
  ): Promise<InstanceType<typeof ConversationConnection>> {
    const viewer = requireViewer(context)
    const size = requirePageSize('first', first ?? 20)
    const [lastActivityAt, id] = after == null ? [] : decodeCursor('conversation', viewer.id, 'after', after).split(' ')
    const position = lastActivityAt && id ? { lastActivityAt: new Date(lastActivityAt), id } : null
    const found = await listConversations(context.services, viewer, size + 1, position)
    const page = { nodes: found.slice(0, size), hasNextPage: found.length > size, hasPreviousPage: position !== null }
    const cursorOf = (node: ViewedConversation) =>
      encodeCursor('conversation', viewer.id, `${node.lastActivityAt.toISOString()} ${node.id}`)
    return ConversationConnection.of(toConnection(page, cursorOf, () => countConversations(context.services, viewer)))
  }

  @FieldResolver(() => String, { nullable: true, description: 'Stored encrypted, like a message body.' })
  async title(@Root() conversation: ViewedConversation, @Ctx() { loaders }: Context): Promise<string | null> {
    return await loaders.title.load(conversation)
  }

  @FieldResolver(() => MemberConnection)
  async members(
    @Root() { id }: ViewedConversation,
    @Ctx() { loaders }: Context,
    @Arg('first', () => Int, { nullable: true, defaultValue: 50 }) first: number | null,
    @Arg('after', () => String, { nullable: true }) after: string | null
  ): Promise<InstanceType<typeof MemberConnection>> {
    const size = requirePageSize('first', first ?? 50)
    const [joinedAt, ...userId] = after == null ? [] : decodeCursor('member', id, 'after', after).split(' ')
    const position = joinedAt ? { joinedAt: new Date(joinedAt), userId: userId.join(' ') } : null
    const found = await loaders.members.load({ conversationId: id, limit: size + 1, after: position })
    const page = { nodes: found.slice(0, size), hasNextPage: found.length > size, hasPreviousPage: position !== null }
    const cursorOf = (member: Member) => encodeCursor('member', id, `${member.joinedAt.toISOString()} ${member.userId}`)
    return MemberConnection.of(toConnection(page, cursorOf, () => loaders.memberCount.load(id)))
  }

  @FieldResolver(() => Int, {
    complexity: WEIGHT.count,
    description: `Messages that others sent since the viewer last marked the conversation read. Counted up to ${UNREAD_MAX}.`
  })
  async unreadCount(@Root() { id }: ViewedConversation, @Ctx() { loaders }: Context): Promise<number> {
    return await loaders.unreadCount.load(id)
  }

  @FieldResolver(() => MessageType, { nullable: true })
  async lastMessage(@Root() { id }: ViewedConversation, @Ctx() { loaders }: Context): Promise<Message | null> {
    return await loaders.lastMessage.load(id)
  }

  @Mutation(() => ConversationPayload, { complexity: WEIGHT.keyPair })
  async createConversation(
    @Ctx() context: Context,
    @Arg('input', () => CreateConversationInput) input: CreateConversationInput
  ): Promise<ConversationPayload> {
    const { title, memberIds, historyVisibility } = input
    const draft = {
      title: title ?? null,
      memberIds,
      historyVisibility: historyVisibility ?? 'FULL',
      keyPolicy: input.keyPolicy ?? null
    }
    return { conversation: await createConversation(context.services, requireViewer(context), draft) }
  }

  @Mutation(() => ConversationPayload)
  async addMembers(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string,
    @Arg('userIds', () => [ID]) userIds: string[]
  ): Promise<ConversationPayload> {
    await addMembers(
      context.services,
      requireViewer(context),
      requireConversationId('conversationId', conversationId),
      userIds
    )
    return await payload(context, conversationId)
  }

  @Mutation(() => ConversationPayload, { complexity: WEIGHT.keyPair })
  async removeMember(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string,
    @Arg('userId', () => ID) userId: string
  ): Promise<ConversationPayload> {
    await removeMember(
      context.services,
      requireViewer(context),
      requireConversationId('conversationId', conversationId),
      userId
    )
    return await payload(context, conversationId)
  }

  @Mutation(() => ConversationPayload)
  async setMemberRole(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string,
    @Arg('userId', () => ID) userId: string,
    @Arg('role', () => MemberRoleEnum) role: MemberRole
  ): Promise<ConversationPayload> {
    const id = requireConversationId('conversationId', conversationId)
    await setMemberRole(context.services, requireViewer(context), id, userId, role)
    return await payload(context, id)
  }

  @Mutation(() => Boolean)
  async leaveConversation(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string
  ): Promise<boolean> {
    await leaveConversation(
      context.services,
      requireViewer(context),
      requireConversationId('conversationId', conversationId)
    )
    return true
  }

  @Mutation(() => ConversationPayload)
  async renameConversation(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string,
    @Arg('title', () => String, { nullable: true }) title: string | null
  ): Promise<ConversationPayload> {
    const id = requireConversationId('conversationId', conversationId)
    await renameConversation(context.services, requireViewer(context), id, title ?? null)
    return await payload(context, id)
  }

  @Mutation(() => Boolean, {
    description: 'For its owner. Destroys its keys at once: nothing sent in it can be read any more.'
  })
  async deleteConversation(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string
  ): Promise<boolean> {
    await deleteConversation(
      context.services,
      requireViewer(context),
      requireConversationId('conversationId', conversationId)
    )
    return true
  }

  @Mutation(() => ReadPayload, { description: 'Marks everything up to `sequence` as read; marks never move back.' })
  async markRead(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string,
    @Arg('sequence', () => Int) sequence: number
  ): Promise<ReadPayload> {
    const id = requireConversationId('conversationId', conversationId)
    const viewer = requireViewer(context)
    await markRead(context.services, viewer, id, sequence)
    await context.services.readMarks.tell(viewer, id, sequence)
    return await payload(context, id)
  }
}

async function payload(context: Context, conversationId: string): Promise<ConversationPayload> {
  return { conversation: await requireConversation(context.services, requireViewer(context), conversationId) }
}
