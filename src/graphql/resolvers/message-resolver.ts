import { Arg, Ctx, Extensions, FieldResolver, ID, Int, Mutation, Resolver, Root } from 'type-graphql'
import type { ViewedConversation } from '../../conversation/viewed-conversation.js'
import { BadUserInput, NotFound } from '../../errors.js'
import { deleteMessage } from '../../message/delete-message.js'
import { editMessage } from '../../message/edit-message.js'
import type { Message } from '../../message/message.js'
import type { MessageStatus } from '../../message/message-opener.js'
import { sendMessage } from '../../message/send-message.js'
import { connectionTypes, toConnection } from '../connection.js'
import { type Context, requireViewer } from '../context.js'
import { decodeCursor, encodeCursor } from '../cursor.js'
import { encodeMessageId, requireConversationId, requireMessageId } from '../ids.js'
import { requireOneSize } from '../page-size.js'
import { SAME_FOR_ALL } from '../share-key.js'
import { ConversationType } from '../types/conversation.js'
import { MessageStatusEnum } from '../types/enums.js'
import { MessagePayload, MessageType, SendMessageInput } from '../types/message.js'
import { UserType } from '../types/user.js'

const MessageConnection = connectionTypes('Message', () => MessageType)

@Resolver(() => MessageType)
export class MessageResolver {
  @FieldResolver(() => ID)
  @Extensions(SAME_FOR_ALL)
  id(@Root() message: Message): string {
    return encodeMessageId({ conversationId: message.conversationId, messageId: message.id })
  }

  @FieldResolver(() => ConversationType)
  @Extensions(SAME_FOR_ALL)
  async conversation(
    @Root() message: Message,
    @Ctx() { loaders, sight }: Context
  ): Promise<Pick<ConversationType, 'id'>> {
    // Nothing else of a conversation is the same for all.
    if (sight) return { id: message.conversationId }
    const conversation = await loaders.conversation.load(message.conversationId)
    if (!conversation) throw new NotFound('conversation')
    return conversation
  }

  @FieldResolver(() => UserType, { nullable: true, description: 'Null for a system message.' })
  @Extensions(SAME_FOR_ALL)
  async sender(@Root() { senderId }: Message, @Ctx() { loaders }: Context): Promise<UserType | null> {
    return senderId === null ? null : await loaders.user.load(senderId)
  }

  @FieldResolver(() => String, { nullable: true, description: 'Null unless status is READABLE.' })
  @Extensions(SAME_FOR_ALL)
  async body(@Root() message: Message, @Ctx() { loaders }: Context): Promise<string | null> {
    return (await loaders.opened.load(message)).body
  }

  @FieldResolver(() => MessageStatusEnum)
  @Extensions(SAME_FOR_ALL)
  async status(@Root() message: Message, @Ctx() { loaders }: Context): Promise<MessageStatus> {
    return (await loaders.opened.load(message)).status
  }

  @FieldResolver(() => MessageType, { nullable: true })
  @Extensions(SAME_FOR_ALL)
  async replyTo(@Root() message: Message, @Ctx() { loaders }: Context): Promise<Message | null> {
    const { conversationId, replyToId } = message
    return replyToId === null ? null : await loaders.message.load({ conversationId, messageId: replyToId })
  }

  @Mutation(() => MessagePayload)
  async sendMessage(
    @Ctx() context: Context,
    @Arg('input', () => SendMessageInput) input: SendMessageInput
  ): Promise<MessagePayload> {
    const conversationId = requireConversationId('input.conversationId', input.conversationId)
    const replyTo = input.replyToId == null ? null : requireMessageId('input.replyToId', input.replyToId)
    if (replyTo && replyTo.conversationId !== conversationId) {
      throw new BadUserInput('input.replyToId', 'A reply must be to a message of the same conversation.')
    }
    const draft = {
      conversationId,
      body: input.body,
      clientMessageId: input.clientMessageId ?? null,
      replyToId: replyTo?.messageId ?? null
    }
    return { message: await sendMessage(context.services, requireViewer(context), draft) }
  }

  @Mutation(() => MessagePayload)
  async editMessage(
    @Ctx() context: Context,
    @Arg('messageId', () => ID) messageId: string,
    @Arg('body', () => String) body: string
  ): Promise<MessagePayload> {
    const key = requireMessageId('messageId', messageId)
    return { message: await editMessage(context.services, requireViewer(context), key, body) }
  }

  @Mutation(() => MessagePayload)
  async deleteMessage(@Ctx() context: Context, @Arg('messageId', () => ID) messageId: string): Promise<MessagePayload> {
    const key = requireMessageId('messageId', messageId)
    return { message: await deleteMessage(context.services, requireViewer(context), key) }
  }
}

/** The messages of a conversation, as a field of it. */
@Resolver(() => ConversationType)
export class ConversationMessagesResolver {
  @FieldResolver(() => MessageConnection, { description: 'Ascending by sequence. Give `first` or `last`.' })
  async messages(
    @Root() { id, visibleAfter, lastSequence }: ViewedConversation,
    @Ctx() { loaders }: Context,
    @Arg('first', () => Int, { nullable: true }) first: number | null,
    @Arg('after', () => String, { nullable: true }) after: string | null,
    @Arg('last', () => Int, { nullable: true }) last: number | null,
    @Arg('before', () => String, { nullable: true }) before: string | null
  ): Promise<InstanceType<typeof MessageConnection>> {
    const sequenceOf = (field: string, cursor: string | null) =>
      cursor == null ? null : Number(decodeCursor('message', id, field, cursor))
    const { size, from } = requireOneSize(first, last)
    const position = { after: sequenceOf('after', after), before: sequenceOf('before', before) }
    const nodes = await loaders.messages.load({ conversationId: id, ...position, limit: size, from })
    const page = {
      nodes,
      hasPreviousPage: (nodes[0]?.sequence ?? (position.after ?? 0) + 1) > visibleAfter + 1,
      hasNextPage: (nodes.at(-1)?.sequence ?? (position.before ?? lastSequence + 1) - 1) < lastSequence
    }
    const cursorOf = (message: Message) => encodeCursor('message', id, String(message.sequence))
    return MessageConnection.of(toConnection(page, cursorOf, async () => lastSequence - visibleAfter))
  }
}
