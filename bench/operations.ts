import { systemClock } from '../src/clock.js'
import { signToken } from '../src/identity/sign-token.js'
import { AUTH_JWT_SECRET } from './stage.js'

/** An operation over HTTP as load/http-load.ts sends it: the JSON of its body, and whose it is. */
export interface Request {
  token: string
  /** With {@link FRESH_ID} where each request has an id of its own. */
  body: string
}

export const FRESH_ID = '00000000-fresh-id'
/** Text as people write it: not one character over and over, which compression on the way would profit from. */
export const BODY = 'We looked at the figures again this morning, and most of what we said on Tuesday still holds. '
  .repeat(4)
  .slice(0, 300)

const SEND = `mutation SendMessage($input: SendMessageInput!) {
  sendMessage(input: $input) { message { id sequence createdAt } }
}`

const PAGE = `query Page($id: ID!) {
  conversation(id: $id) {
    messages(last: 50) {
      nodes { id sequence sender { id name } body status createdAt editedAt }
      pageInfo { hasPreviousPage startCursor }
    }
  }
}`

const CREATE = `mutation CreateConversation($input: CreateConversationInput!) {
  createConversation(input: $input) { conversation { id createdAt } }
}`

export const EVENTS = `subscription Events($conversationId: ID!) {
  messageEvents(conversationId: $conversationId) {
    cursor type message { id sequence sender { id name } body status createdAt editedAt }
  }
}`

export async function tokenOf(userId: string): Promise<string> {
  const config = { jwtSecret: AUTH_JWT_SECRET, jwksUrl: null, issuer: null, audience: null }
  return (await signToken(config, systemClock, { userId, scopes: [] })).token
}

export async function sendRequest(userId: string, conversationId: string): Promise<Request> {
  const input = { conversationId, body: BODY, clientMessageId: FRESH_ID }
  return await request(userId, { query: SEND, variables: { input } })
}

export async function pageRequest(userId: string, id: string): Promise<Request> {
  return await request(userId, { query: PAGE, variables: { id } })
}

export async function createRequest(userId: string, memberIds: string[]): Promise<Request> {
  return await request(userId, { query: CREATE, variables: { input: { memberIds } } })
}

async function request(userId: string, operation: object): Promise<Request> {
  return { token: await tokenOf(userId), body: JSON.stringify(operation) }
}
