import { Arg, FieldResolver, ID, Resolver, Root, Subscription } from 'type-graphql'
import type { ViewedConversation } from '../../conversation/viewed-conversation.js'
import { type MessageEvent, messageStream } from '../../delivery/message-stream.js'
import { type Context, requireViewer } from '../context.js'
import { decodeCursor, encodeCursor } from '../cursor.js'
import { requireConversationId } from '../ids.js'
import { ConversationType } from '../types/conversation.js'
import { MessageEventType } from '../types/message.js'

interface SubscribeArguments {
  conversationId: string
  after?: string | null
}

@Resolver()
export class DeliveryResolver {
  @Subscription(() => MessageEventType, {
    description: 'Every durable change of one conversation, in order, from `after` on; without it, from now on.',
    subscribe: async ({ args, context }: { args: SubscribeArguments; context: Context }) => {
      const viewer = requireViewer(context)
      const id = requireConversationId('conversationId', args.conversationId)
      const after = args.after == null ? null : Number(decodeCursor('event', id, 'after', args.after))
      return await messageStream(context.services, viewer, id, after)
    }
  })
  messageEvents(
    @Root() { type, message }: MessageEvent,
    @Arg('conversationId', () => ID) _conversationId: string,
    @Arg('after', () => String, { nullable: true }) _after: string | null
  ): MessageEventType {
    return { type, message, cursor: eventCursor(message.conversationId, message.change) }
  }
}

/** Where a conversation's events stand, as a field of it. */
@Resolver(() => ConversationType)
export class ConversationEventsResolver {
  @FieldResolver(() => String, {
    description:
      'Cursor of the latest change. Pass it as `after` to messageEvents: what changes after this read is then delivered, whenever the subscription begins.'
  })
  eventCursor(@Root() { id, lastChange }: ViewedConversation): string {
    return eventCursor(id, lastChange)
  }
}

function eventCursor(conversationId: string, change: number): string {
  return encodeCursor('event', conversationId, String(change))
}
