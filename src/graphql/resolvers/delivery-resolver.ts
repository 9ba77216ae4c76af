import { Arg, ID, Resolver, Root, Subscription } from 'type-graphql'
import { type MessageEvent, messageStream } from '../../delivery/message-stream.js'
import { type Context, requireViewer } from '../context.js'
import { decodeCursor, encodeCursor } from '../cursor.js'
import { requireConversationId } from '../ids.js'
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
    return { type, message, cursor: encodeCursor('event', message.conversationId, String(message.change)) }
  }
}
