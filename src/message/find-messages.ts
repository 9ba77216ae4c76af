import type { Statement } from '../database/database.js'
import type { MemberRole } from '../database/entities.js'
import { NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { MESSAGE_COLUMNS, MESSAGE_KEYS, type Message } from './message.js'
import { MAX_BYTES, requireWithinBytes } from './message-bytes.js'

/** A message and the role of the viewer who may see it. */
export type ViewedMessage = Message & { viewerRole: MemberRole }

/** A message's place: every look-up names the conversation, so that none crosses conversations. */
export interface MessageKey {
  conversationId: string
  messageId: string
}

/** What is shown of a conversation's history: what follows a sequence. */
export interface Sight {
  conversationId: string
  visibleAfter: number
}

/** `messages x`, as far as the member $1 may see them. */
const VISIBLE_MESSAGES = `
  messages x
  join members m on m.conversation_id = x.conversation_id and m.user_id = $1 and x.sequence > m.visible_after
  join conversations c on c.id = x.conversation_id and c.deleted_at is null`

/**
 * Of what a query finds, as many messages as have {@link MAX_BYTES} together, and the one that is too much: what is
 * behind it is not even read out of where the database keeps long values.
 */
const boundedInBytes = (query: string) => `
  select * from (
    select found.*,
           sum(coalesce(octet_length(found.envelope), 0)) over (rows unbounded preceding)::float8 as "bytesSoFar"
      from (${query}) found) counted
   where "bytesSoFar" - coalesce(octet_length(envelope), 0) <= ${MAX_BYTES}`

export const FIND_MESSAGES: Statement = {
  name: 'find-messages',
  text: boundedInBytes(`
    select ${MESSAGE_COLUMNS}, m.role as "viewerRole"
      from unnest($2::uuid[], $3::uuid[]) as wanted (conversation_id, id)
      join (${VISIBLE_MESSAGES}) on x.conversation_id = wanted.conversation_id and x.id = wanted.id
      ${MESSAGE_KEYS}`)
}

export const FIND_IN_SIGHT: Statement = {
  name: 'find-messages-in-sight',
  text: `
    select ${MESSAGE_COLUMNS} from messages x ${MESSAGE_KEYS}
     where x.conversation_id = $1 and x.sequence > $2 and x.id = any($3::uuid[])`
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
  text: boundedInBytes(`
    select ${MESSAGE_COLUMNS}
      from conversations c
      join members m on m.conversation_id = c.id and m.user_id = $1
      join messages x on x.conversation_id = c.id and x.sequence = c.last_sequence and x.sequence > m.visible_after
      ${MESSAGE_KEYS}
     where c.id = any($2::uuid[]) and c.deleted_at is null`)
}

// The same ranges from either end. Sequences have no gaps, so each page is found without counting. It is cut off before
// its keys are joined: where few data keys are expected, the planner would begin with them, and read and sort all
// messages under each. What comes in no certain order is put in order below.
const pages = (direction: 'asc' | 'desc'): Statement => ({
  name: `pages-of-messages-${direction}`,
  text: boundedInBytes(`
    select wanted.place::integer, page.*
      from unnest((select $2)::uuid[], (select $3)::integer[], (select $4)::integer[], (select $5)::integer[])
             with ordinality as wanted (conversation_id, after, before, size, place)
     cross join lateral (
       select ${MESSAGE_COLUMNS} from (
         select x.* from ${VISIBLE_MESSAGES}
          where x.conversation_id = wanted.conversation_id and x.sequence > wanted.after and x.sequence < wanted.before
          order by x.sequence ${direction}
          limit wanted.size) x
         ${MESSAGE_KEYS}) page`)
})
export const FIRST_OF_RANGES = pages('asc')
export const LAST_OF_RANGES = pages('desc')

const MAX_SEQUENCE = 2 ** 31 - 1

/** A part of the messages of one conversation. */
export interface SequenceRange {
  conversationId: string
  /** Exclusive. */
  after: number | null
  /** Exclusive. */
  before: number | null
  limit: number
  from: 'START' | 'END'
}

/** Those of the messages that the viewer may see. @throws QueryTooComplex for more than {@link MAX_BYTES} */
export async function findMessages(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  keys: readonly MessageKey[]
): Promise<ViewedMessage[]> {
  const conversationIds = keys.map((key) => key.conversationId)
  const ids = keys.map((key) => key.messageId)
  return requireWithinBytes(await database.run(FIND_MESSAGES, [viewer.id, conversationIds, ids]))
}

/** Those of the messages of one conversation that lie in a sight of it, whoever has it. */
export async function findMessagesInSight(
  { database }: Pick<Services, 'database'>,
  { conversationId, visibleAfter }: Sight,
  keys: readonly MessageKey[]
): Promise<Message[]> {
  const ids = keys.filter((key) => key.conversationId === conversationId).map(({ messageId }) => messageId)
  return await database.run(FIND_IN_SIGHT, [conversationId, visibleAfter, ids])
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

/** The last message of each conversation, where the viewer may see it. @throws QueryTooComplex for more than {@link MAX_BYTES} */
export async function findLastMessages(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationIds: readonly string[]
): Promise<Map<string, Message>> {
  const rows = requireWithinBytes<Message>(await database.run(FIND_LAST_MESSAGES, [viewer.id, conversationIds]))
  return new Map(rows.map((row) => [row.conversationId, row]))
}

/**
 * Ranges of messages that the viewer may see, each ascending by sequence.
 *
 * @returns in the order given
 * @throws QueryTooComplex for more than {@link MAX_BYTES}
 */
export async function readRanges(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  ranges: readonly SequenceRange[]
): Promise<Message[][]> {
  const read = new Map<SequenceRange, Message[]>()
  const readFrom = async (statement: Statement, part: readonly SequenceRange[]) => {
    if (part.length === 0) return
    const rows = requireWithinBytes<Message & { place: number }>(
      await database.run(statement, [viewer.id, ...columnsOf(part)])
    )
    const found = Map.groupBy(rows, ({ place }) => place)
    part.forEach((range, index) => {
      const page = found.get(index + 1) ?? []
      read.set(
        range,
        page.sort((a, b) => a.sequence - b.sequence)
      )
    })
  }
  const { START = [], END = [] } = Object.groupBy(ranges, ({ from }) => from)
  await Promise.all([readFrom(FIRST_OF_RANGES, START), readFrom(LAST_OF_RANGES, END)])
  return ranges.map((range) => read.get(range) ?? [])
}

function columnsOf(ranges: readonly SequenceRange[]): unknown[] {
  return [
    ranges.map(({ conversationId }) => conversationId),
    ranges.map(({ after }) => after ?? 0),
    ranges.map(({ before }) => before ?? MAX_SEQUENCE),
    ranges.map(({ limit }) => limit)
  ]
}
