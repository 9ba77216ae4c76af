import { Arg, Ctx, FieldResolver, ID, Query, Resolver, Root } from 'type-graphql'
import { hasScope } from '../../conversation-key/key-rights.js'
import type { Member } from '../../database/entities.js'
import { findKeyOperation } from '../../key-life/key-operations.js'
import { type Context, requireViewer } from '../context.js'
import { decodeMessageId, isConversationId } from '../ids.js'
import { MemberType } from '../types/member.js'
import { NodeType } from '../types/node.js'
import { UserType } from '../types/user.js'

@Resolver(() => MemberType)
export class UserResolver {
  @Query(() => UserType)
  viewer(@Ctx() context: Context): UserType {
    return requireViewer(context)
  }

  @Query(() => NodeType, {
    nullable: true,
    description:
      'A conversation or message that the viewer may see, the viewer, or a user whom the viewer has a conversation with.'
  })
  async node(@Ctx() context: Context, @Arg('id', () => ID) id: string): Promise<object | null> {
    const viewer = requireViewer(context)
    const key = decodeMessageId(id)
    const message = key && (await context.loaders.message.load(key))
    if (message) return { __typename: 'Message', ...message }
    const conversation = isConversationId(id) ? await context.loaders.conversation.load(id) : null
    if (conversation) return { __typename: 'Conversation', ...conversation }
    const operation =
      isConversationId(id) && hasScope(viewer, 'keys:read') ? await findKeyOperation(context.services, id) : null
    if (operation) return { __typename: 'KeyOperation', ...operation }
    const user = await context.services.users.findAcquaintance(viewer, id)
    return user && { __typename: 'User', ...user }
  }

  @FieldResolver(() => UserType)
  async user(@Root() member: Member, @Ctx() { loaders }: Context): Promise<UserType> {
    return await loaders.user.load(member.userId)
  }
}
