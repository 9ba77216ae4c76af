import {
  CreateConversationDocument,
  type CreateConversationInput,
  MessageEventsDocument,
  type MessageEventsSubscription,
  type MessageFieldsFragment,
  MessagesDocument,
  type MessagesQuery,
  SendMessageDocument
} from '../../documents/generated.js'
import type { GraphQLClient, Subscribed } from './graphql-client.js'

/** Creates a conversation and returns its id. */
export async function createConversation(
  owner: GraphQLClient,
  memberIds: string[],
  input: Partial<CreateConversationInput> = {}
): Promise<string> {
  const { createConversation } = await owner.run(CreateConversationDocument, { input: { memberIds, ...input } })
  return createConversation.conversation.id
}

export async function send(
  sender: GraphQLClient,
  conversationId: string,
  body: string
): Promise<MessageFieldsFragment> {
  const { sendMessage } = await sender.run(SendMessageDocument, { input: { conversationId, body } })
  return sendMessage.message
}

/** All messages that the reader may see, ascending, page by page from the end. */
export async function readBack(reader: GraphQLClient, id: string, pageSize = 200): Promise<MessageFieldsFragment[]> {
  const pages: MessageFieldsFragment[][] = []
  let before: string | null = null
  for (;;) {
    const page: MessagesQuery = await reader.run(MessagesDocument, {
      id,
      last: pageSize,
      before
    })
    if (!page.conversation) throw new Error('the reader is not in this conversation')
    const { edges, pageInfo } = page.conversation.messages
    pages.unshift(edges.map((edge) => edge.node))
    if (!pageInfo.hasPreviousPage) return pages.flat()
    before = pageInfo.startCursor
  }
}

/** Where the log of a conversation ends at present: to subscribe to all that happens from now on. */
export async function eventCursor(reader: GraphQLClient, id: string): Promise<string> {
  const { conversation } = await reader.run(MessagesDocument, { id, last: 1 })
  if (!conversation) throw new Error('the reader is not in this conversation')
  return conversation.eventCursor
}

/** Subscribes to all that happens from now on. */
export async function follow(
  reader: GraphQLClient,
  conversationId: string
): Promise<Subscribed<MessageEventsSubscription>> {
  const after = await eventCursor(reader, conversationId)
  return reader.subscribe(MessageEventsDocument, { conversationId, after })
}

/** The same, once the subscription is seen to be live. */
export async function followLive(reader: GraphQLClient, id: string): Promise<Subscribed<MessageEventsSubscription>> {
  const events = await follow(reader, id)
  await send(reader, id, 'live?')
  const first = brief(await events.next())
  if (first !== 'SENT live?') throw new Error(`another event came first: ${first}`)
  return events
}

/** An event in a few words. */
export function brief({ messageEvents: { type, message } }: MessageEventsSubscription): string {
  return `${type} ${message.body}`
}
