import { Arg, Args, Ctx, Extensions, FieldResolver, ID, Int, Mutation, Resolver, Root } from 'type-graphql'
import type { ViewedConversation } from '../../conversation/viewed-conversation.js'
import { hasScope } from '../../conversation-key/key-rights.js'
import { rotateKey } from '../../conversation-key/rotate-key.js'
import { ALGORITHM, fingerprint, publicKeyPem } from '../../crypto/key-transport.js'
import type { ConversationKey } from '../../database/entities.js'
import { NotFound } from '../../errors.js'
import { type Context, requireViewer } from '../context.js'
import { requireConversationId } from '../ids.js'
import { DESCRIPTION_OF_KEYS, KeyVersions, WHOLE_UP_TO_A_PAGE } from '../key-versions.js'
import { ConversationType } from '../types/conversation.js'
import { ConversationKeyType, KeyPayload } from '../types/conversation-key.js'
import { WEIGHT } from '../weights.js'

@Resolver(() => ConversationKeyType)
export class ConversationKeyResolver {
  @FieldResolver(() => String)
  algorithm(): string {
    return ALGORITHM
  }

  @FieldResolver(() => String, { description: 'Lower-case hex SHA-256 of the DER SubjectPublicKeyInfo.' })
  fingerprint(@Root() { publicKey }: ConversationKey): string {
    return fingerprint(publicKey).toString('hex')
  }

  @FieldResolver(() => String)
  publicKeyPem(@Root() { publicKey }: ConversationKey): string {
    return publicKeyPem(publicKey)
  }

  @FieldResolver(() => Int, { complexity: WEIGHT.count, description: 'Messages that need this version to be read.' })
  async messageCount(@Root() key: ConversationKey, @Ctx() { loaders }: Context): Promise<number> {
    return await loaders.messageCount.load(key)
  }

  @FieldResolver(() => String, {
    nullable: true,
    description: 'URI of the master key that wraps it; null without scope keys:read.'
  })
  masterKey(@Root() { masterKey }: ConversationKey, @Ctx() context: Context): string | null {
    return hasScope(requireViewer(context), 'keys:read') ? (masterKey ?? null) : null
  }

  @Mutation(() => KeyPayload, {
    complexity: WEIGHT.keyPair,
    description: 'Makes the next key version the active one. For the owner of the conversation, or scope keys:admin.'
  })
  async rotateKey(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string
  ): Promise<KeyPayload> {
    const id = requireConversationId('conversationId', conversationId)
    return { conversationId: id, key: await rotateKey(context.services, requireViewer(context), id) }
  }
}

/** The keys of a conversation, as fields of it. */
@Resolver(() => ConversationType)
export class ConversationKeysResolver {
  @FieldResolver(() => ConversationKeyType)
  async activeKey(@Root() { id }: ViewedConversation, @Ctx() { loaders }: Context): Promise<ConversationKey> {
    const key = await loaders.activeKey.load(id)
    if (!key) throw new NotFound('conversation')
    return key
  }

  @Extensions(WHOLE_UP_TO_A_PAGE)
  @FieldResolver(() => [ConversationKeyType], { description: DESCRIPTION_OF_KEYS })
  async keys(
    @Root() { id }: ViewedConversation,
    @Ctx() { loaders }: Context,
    @Args(() => KeyVersions) versions: KeyVersions
  ): Promise<ConversationKey[]> {
    return await versions.read((range) => loaders.keys.load({ conversationId: id, ...range }))
  }
}
