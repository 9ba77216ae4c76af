import { Arg, Ctx, ID, Mutation, Resolver, Root, Subscription } from 'type-graphql'
import { type Activity, setTyping } from '../../delivery/activity.js'
import { activityStream } from '../../delivery/activity-stream.js'
import { type Context, requireViewer } from '../context.js'
import { requireConversationId } from '../ids.js'
import { ActivityUnion, type ReadActivity, type TypingActivity } from '../types/activity.js'

@Resolver()
export class ActivityResolver {
  @Mutation(() => Boolean, {
    description: 'Tells the others that the viewer is typing, or not any more. Again every few seconds while it lasts.'
  })
  async setTyping(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string,
    @Arg('typing', () => Boolean) typing: boolean
  ): Promise<boolean> {
    const id = requireConversationId('conversationId', conversationId)
    await setTyping(context.services, requireViewer(context), id, typing)
    return true
  }

  @Subscription(() => ActivityUnion, {
    description:
      "What others do at this moment: typing, and read marks, the viewer's own from elsewhere included. Never stored, never replayed.",
    subscribe: async ({ args, context }: { args: { conversationId: string }; context: Context }) => {
      const id = requireConversationId('conversationId', args.conversationId)
      return await activityStream(context.services, requireViewer(context), id)
    }
  })
  async activity(
    @Root() activity: Activity,
    @Ctx() { loaders }: Context,
    @Arg('conversationId', () => ID) _conversationId: string
  ): Promise<TypingActivity | ReadActivity> {
    const user = await loaders.user.load(activity.userId)
    return activity.kind === 'TYPING' ? { user, typing: activity.typing } : { user, sequence: activity.sequence }
  }
}
