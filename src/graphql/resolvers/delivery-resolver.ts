import { Arg, Extensions, Field, FieldResolver, ID, InputType, Resolver, Root, Subscription } from 'type-graphql'
import type { ViewedConversation } from '../../conversation/viewed-conversation.js'
import type { MessageEvent } from '../../delivery/conversation-log.js'
import { inboxStream } from '../../delivery/inbox-stream.js'
import { type MembershipChange, membershipStream } from '../../delivery/membership-stream.js'
import { messageStream } from '../../delivery/message-stream.js'
import { type Context, requireViewer } from '../context.js'
import { decodeCursor, encodeCursor } from '../cursor.js'
import { requireConversationId } from '../ids.js'
import { SAME_FOR_ALL } from '../share-key.js'
import { ConversationType } from '../types/conversation.js'
import { MembershipEvent } from '../types/membership-event.js'
import { MessageEventType } from '../types/message.js'

interface SubscribeArguments {
  conversationId: string
  after?: string | null
}

interface InboxArguments {
  resume?: ResumePoint[] | null
  fromJoining?: boolean | null
}

@InputType()
class ResumePoint {
  @Field(() => ID)
  conversationId!: string

  @Field(() => String, { description: "Cursor of the last event that was seen, or the conversation's `eventCursor`." })
  after!: string
}

@Resolver()
export class DeliveryResolver {
  @Subscription(() => MessageEventType, {
    description: 'Every durable change of one conversation, in order, from `after` on; without it, from now on.',
    subscribe: async ({ args, context }: { args: SubscribeArguments; context: Context }) => {
      const viewer = requireViewer(context)
      const id = requireConversationId('conversationId', args.conversationId)
      const after = args.after == null ? null : Number(decodeCursor('event', id, 'after', args.after))
      const events = await messageStream(context.services, viewer, id, after, context.consumer ?? null)
      if (after !== null) context.services.metrics.operations.resumed('messageEvents')
      return events
    }
  })
  @Extensions(SAME_FOR_ALL)
  messageEvents(
    @Root() { type, message }: MessageEvent,
    @Arg('conversationId', () => ID) _conversationId: string,
    @Arg('after', () => String, { nullable: true }) _after: string | null
  ): MessageEventType {
    return toEvent({ type, message })
  }

  @Subscription(() => MessageEventType, {
    description:
      'The same for every conversation the viewer is in: from its resume point on, or from now on where it has none; of one that the viewer joins, from the joining on.',
    subscribe: async ({ args, context }: { args: InboxArguments; context: Context }) => {
      const points = (args.resume ?? []).map(({ conversationId, after }) => {
        const id = requireConversationId('resume', conversationId)
        return { conversationId: id, after: Number(decodeCursor('event', id, 'resume', after)) }
      })
      const { services, consumer = null } = context
      const events = await inboxStream(services, requireViewer(context), points, consumer, args.fromJoining ?? false)
      if (points.length > 0) services.metrics.operations.resumed('inboxEvents')
      return events
    }
  })
  @Extensions(SAME_FOR_ALL)
  inboxEvents(
    @Root() event: MessageEvent,
    @Arg('resume', () => [ResumePoint], { nullable: true, defaultValue: [] }) _resume: ResumePoint[] | null,
    @Arg('fromJoining', () => Boolean, {
      nullable: true,
      defaultValue: false,
      description:
        'Whether conversations without a resume point come from the joining on as well: for clients that have a point for every conversation they know, and may have joined others while they were away.'
    })
    _fromJoining: boolean | null
  ): MessageEventType {
    return toEvent(event)
  }

  @Subscription(() => MembershipEvent, {
    description:
      'Which conversations the viewer comes into, goes out of and reads, from now on. The first event comes at once: whoever reads the list after it misses nothing.',
    subscribe: async ({ args, context }: { args: { known?: string[] | null }; context: Context }) => {
      const known = (args.known ?? []).map((id) => requireConversationId('known', id))
      return membershipStream(context.services, requireViewer(context), known)
    }
  })
  membershipEvents(
    @Root() change: MembershipChange,
    @Arg('known', () => [ID], {
      nullable: true,
      defaultValue: [],
      description: 'Conversations that a client shows. Those that the viewer is not in any more are in the first event.'
    })
    _known: string[] | null
  ): MembershipEvent {
    return change
  }
}

/** Where a conversation's events stand, as a field of it. */
@Resolver(() => ConversationType)
export class ConversationEventsResolver {
  @FieldResolver(() => String, {
    description:
      'Cursor of the latest change. Pass it as `after` to messageEvents: what changes after this read is then delivered, whenever the subscription begins. It is read before the messages that are asked for beside it.'
  })
  eventCursor(@Root() { id, lastChange }: ViewedConversation): string {
    return eventCursor(id, lastChange)
  }
}

function toEvent({ type, message }: MessageEvent): MessageEventType {
  return { type, message, cursor: eventCursor(message.conversationId, message.change) }
}

function eventCursor(conversationId: string, change: number): string {
  return encodeCursor('event', conversationId, String(change))
}
