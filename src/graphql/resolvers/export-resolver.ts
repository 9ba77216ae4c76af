import { Arg, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql'
import { exportProgress } from '../../delivery/operation-progress.js'
import { findExport, type OrderedExport, orderExport } from '../../transfer/ordered-exports.js'
import { type Context, requireViewer } from '../context.js'
import { requireConversationId, requireOperationId } from '../ids.js'
import { ConversationExportPayload, ConversationExportType } from '../types/conversation-export.js'

@Resolver(() => ConversationExportType)
export class ExportResolver {
  @FieldResolver(() => String, {
    nullable: true,
    description: 'Where its file can be fetched, by GET with the same token; null while it is not whole.'
  })
  path(@Root() { id, state }: OrderedExport): string | null {
    return state === 'SUCCEEDED' ? `/exports/${id}` : null
  }

  @Query(() => ConversationExportType, {
    nullable: true,
    description:
      'An export that the viewer has asked for; null once it has expired, or the viewer is no owner any more.'
  })
  async conversationExport(@Ctx() context: Context, @Arg('id', () => ID) id: string): Promise<OrderedExport | null> {
    return await findExport(context.services, requireViewer(context), requireOperationId('id', id))
  }

  @Mutation(() => ConversationExportPayload, {
    description:
      'Has messages, notices, edits and members written to a file that only the holder of a private key can open. For the owner, as far as the owner sees the history. It takes the place of the one before; an owner has those of ten conversations at most.'
  })
  async exportConversation(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string,
    @Arg('publicKeyPem', () => String, { description: 'RSA of 2048 bits at least, P-256, P-384, P-521 or X25519.' })
    publicKeyPem: string
  ): Promise<{ export: OrderedExport }> {
    const viewer = requireViewer(context)
    const id = requireConversationId('conversationId', conversationId)
    return { export: await orderExport(context.services, viewer, id, publicKeyPem) }
  }

  @Subscription(() => ConversationExportType, {
    description: 'The export as it stands, and again whenever it has moved on, until it has finished.',
    subscribe: async ({ args, context }: { args: { id: string }; context: Context }) =>
      await exportProgress(context.services, requireViewer(context), requireOperationId('id', args.id))
  })
  conversationExportProgress(@Root() ordered: OrderedExport, @Arg('id', () => ID) _id: string): OrderedExport {
    return ordered
  }
}
