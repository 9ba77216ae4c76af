import 'reflect-metadata'
import type { GraphQLSchema } from 'graphql'
import { buildSchemaSync, type PubSub } from 'type-graphql'
import { limitMutations } from './limited-mutations.js'
import { requireTokens } from './require-tokens.js'
import { ActivityResolver } from './resolvers/activity-resolver.js'
import { ConversationKeyResolver, ConversationKeysResolver } from './resolvers/conversation-key-resolver.js'
import { ConversationResolver } from './resolvers/conversation-resolver.js'
import { ConversationEventsResolver, DeliveryResolver } from './resolvers/delivery-resolver.js'
import { DevTokenResolver } from './resolvers/dev-token-resolver.js'
import { ExportResolver } from './resolvers/export-resolver.js'
import { KeyCensusResolver, KeyLifeResolver, KeyOperationResolver } from './resolvers/key-life-resolver.js'
import { ConversationMessagesResolver, MessageResolver } from './resolvers/message-resolver.js'
import { StoredMessageResolver } from './resolvers/stored-message-resolver.js'
import { UserResolver } from './resolvers/user-resolver.js'

/** type-graphql insists on one; every subscription here has a `subscribe` of its own. */
const unusedPubSub: PubSub = {
  publish: () => {},
  subscribe: () => {
    throw new Error('subscriptions read the log')
  }
}

/** @param devToken whether the mutation of that name and the query storedMessage are part of the schema: in development only */
export function createSchema({ devToken }: { devToken: boolean }): GraphQLSchema {
  const schema = buildSchemaSync({
    resolvers: [
      UserResolver,
      ConversationResolver,
      ConversationMessagesResolver,
      ConversationKeysResolver,
      ConversationEventsResolver,
      MessageResolver,
      ConversationKeyResolver,
      KeyCensusResolver,
      KeyOperationResolver,
      KeyLifeResolver,
      DeliveryResolver,
      ActivityResolver,
      ExportResolver,
      ...(devToken ? [DevTokenResolver, StoredMessageResolver] : [])
    ],
    pubSub: unusedPubSub,
    // Inputs are checked where they are used, whichever way they come in.
    validate: false
  })
  return requireTokens(limitMutations(schema))
}
