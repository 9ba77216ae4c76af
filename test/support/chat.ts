import {
  CreateConversationDocument,
  type CreateConversationInput,
  type MessageFieldsFragment,
  MessagesDocument,
  type MessagesQuery,
  SendMessageDocument
} from '../../documents/generated.js'
import type { GraphQLClient } from './graphql-client.js'

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
