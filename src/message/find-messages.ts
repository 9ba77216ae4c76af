import type { Statement } from '../database/database.js'
import type { MemberRole } from '../database/entities.js'
import { NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { MESSAGE_COLUMNS, MESSAGE_KEYS, type Message } from './message.js'

/** A message and the role of the viewer who may see it. */
export type ViewedMessage = Message & { viewerRole: MemberRole }

/** A message's place: every look-up names the conversation, so that none crosses conversations. */
export interface MessageKey {
  conversationId: string
  messageId: string
}

/** `messages x`, as far as the member $1 may see them. */
const VISIBLE_MESSAGES = `
  messages x
  join members m on m.conversation_id = x.conversation_id and m.user_id = $1 and x.sequence > m.visible_after
  join conversations c on c.id = x.conversation_id and c.deleted_at is null`

export const FIND_MESSAGES: Statement = {
  name: 'find-messages',
  text: `
    select ${MESSAGE_COLUMNS}, m.role as "viewerRole"
      from unnest($2::uuid[], $3::uuid[]) as wanted (conversation_id, id)
      join (${VISIBLE_MESSAGES}) on x.conversation_id = wanted.conversation_id and x.id = wanted.id
      ${MESSAGE_KEYS}`
}

// One's own message, also where it was sent before a membership that sees only what followed.
export const FIND_BY_CLIENT_ID: Statement = {
  name: 'find-message-by-client-id',
  text: `
    select ${MESSAGE_COLUMNS}
      from messages x
      join members m on m.conversation_id = x.conversation_id and m.user_id = $1
      join conversations c on c.id = x.conversation_id and c.deleted_at is null
      ${MESSAGE_KEYS}
     where x.conversation_id = $2 and x.sender_id = $1 and x.client_message_id = $3`
}

export const FIND_LAST_MESSAGES: Statement = {
  name: 'find-last-messages',
  text: `
    select ${MESSAGE_COLUMNS}
      from conversations c
      join members m on m.conversation_id = c.id and m.user_id = $1
      join messages x on x.conversation_id = c.id and x.sequence = c.last_sequence and x.sequence > m.visible_after
      ${MESSAGE_KEYS}
     where c.id = any($2::uuid[]) and c.deleted_at is null`
}

// The same range from either end. Sequences have no gaps, so the page is found without counting. It is cut off before
// its keys are joined: where few data keys are expected, the planner would begin with them, and read and sort all
// messages under each. What comes in no certain order is put in order below.
const page = (direction: 'asc' | 'desc'): Statement => ({
  name: `page-of-messages-${direction}`,
  text: `
    select ${MESSAGE_COLUMNS} from (
      select x.* from ${VISIBLE_MESSAGES}
       where x.conversation_id = $2 and x.sequence > $3 and x.sequence < $4
       order by x.sequence ${direction}
       limit $5) x
      ${MESSAGE_KEYS}`
})
export const FIRST_OF_RANGE = page('asc')
export const LAST_OF_RANGE = page('desc')

const MAX_SEQUENCE = 2 ** 31 - 1

export interface SequenceRange {
  /** Exclusive. */
  after: number | null
  /** Exclusive. */
  before: number | null
  limit: number
  from: 'START' | 'END'
}

/** Those of the messages that the viewer may see. */
export async function findMessages(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  keys: readonly MessageKey[]
): Promise<ViewedMessage[]> {
  const conversationIds = keys.map((key) => key.conversationId)
  return await database.run(FIND_MESSAGES, [viewer.id, conversationIds, keys.map((key) => key.messageId)])
}

/** @throws NotFound when the viewer may not see the message, whether or not it exists */
export async function requireMessage(
  services: Pick<Services, 'database'>,
  viewer: Viewer,
  key: MessageKey
): Promise<ViewedMessage> {
  const [found] = await findMessages(services, viewer, [key])
  if (!found) throw new NotFound('message')
  return found
}

export async function findByClientMessageId(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationId: string,
  clientMessageId: string
): Promise<Message | null> {
  const [found] = await database.run<Message>(FIND_BY_CLIENT_ID, [viewer.id, conversationId, clientMessageId])
  return found ?? null
}

/** The last message of each conversation, where the viewer may see it. */
export async function findLastMessages(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationIds: readonly string[]
): Promise<Map<string, Message>> {
  const rows = await database.run<Message>(FIND_LAST_MESSAGES, [viewer.id, conversationIds])
  return new Map(rows.map((row) => [row.conversationId, row]))
}

/** A range of a conversation's messages that the viewer may see, ascending by sequence. */
export async function readRange(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationId: string,
  { after, before, limit, from }: SequenceRange
): Promise<Message[]> {
  const values = [viewer.id, conversationId, after ?? 0, before ?? MAX_SEQUENCE, limit]
  const rows = await database.run<Message>(from === 'START' ? FIRST_OF_RANGE : LAST_OF_RANGE, values)
  return rows.sort((a, b) => a.sequence - b.sequence)
}
