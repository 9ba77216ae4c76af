import { decryptTitle } from '../conversation/title.js'
import type { Statement } from '../database/database.js'
import type { Conversation, MemberRole } from '../database/entities.js'
import { NotFound } from '../errors.js'
import type { Services } from '../services.js'
import { NamedUsers } from './named-users.js'
import { readMessages } from './read-messages.js'
import type { ConversationRecord, ExportRecord, MemberRecord, MessageRecord } from './records.js'

const MEMBERS_PAGE = 1000

export type ExportedConversation = Pick<
  Conversation,
  'id' | 'historyVisibility' | 'title' | 'titleDataKeyId' | 'titleRevision' | 'lastSequence' | 'createdAt'
>

const FIND_CONVERSATION: Statement = {
  text: `
    select id, history_visibility as "historyVisibility", title, title_data_key_id as "titleDataKeyId",
           title_revision as "titleRevision", last_sequence as "lastSequence", created_at as "createdAt"
      from conversations where id = $1 and deleted_at is null`
}

const NEXT_MEMBERS: Statement = {
  text: `
    select user_id as "userId", role, joined_at as "joinedAt", visible_after as "visibleAfter",
           last_read_sequence as "lastReadSequence"
      from members where conversation_id = $1 and user_id > $2 order by user_id limit $3`
}

const LEFT_OUT: Statement = {
  text: 'select id from messages where conversation_id = $1 and sequence <= $2 and id = any($3::uuid[])'
}

interface MemberRow {
  userId: string
  role: MemberRole
  joinedAt: Date
  visibleAfter: number
  lastReadSequence: number
}

/** @throws NotFound */
export async function requireExported(
  { database }: Pick<Services, 'database'>,
  id: string
): Promise<ExportedConversation> {
  const [found] = await database.run<ExportedConversation>(FIND_CONVERSATION, [id])
  if (!found) throw new NotFound('conversation')
  return found
}

type ReadServices = Pick<Services, 'database' | 'keyring' | 'messageOpener' | 'users' | 'log'>

/**
 * Everything of a conversation: itself, its messages in their order up to the last one that there was when it was looked
 * up, and its members last: whoever imports it shows it to nobody before it is whole.
 *
 * @param after messages up to this sequence are left out
 */
export async function* readConversation(
  services: ReadServices,
  conversation: ExportedConversation,
  after: number
): AsyncGenerator<ExportRecord> {
  const users = new NamedUsers(services)
  const { id: conversationId, lastSequence: to } = conversation
  yield await describeConversation(services, conversation)
  for await (const page of readMessages(services, { conversationId, after, to, senderId: null })) {
    yield* await users.tell(page.map(({ senderId }) => senderId))
    yield* after === 0 ? page : await repliesWithin(services, page, conversationId, after)
  }
  for await (const page of readMembers(services, conversationId)) {
    yield* await users.tell(page.map(({ userId }) => userId))
    yield* page
  }
}

/** Without the replies to what is left out: who reads the file knows nothing of it. */
async function repliesWithin(
  { database }: Pick<Services, 'database'>,
  page: MessageRecord[],
  conversationId: string,
  after: number
): Promise<MessageRecord[]> {
  const repliedTo = page.flatMap(({ replyToId }) => replyToId ?? [])
  const rows = await database.run<{ id: string }>(LEFT_OUT, [conversationId, after, repliedTo])
  const leftOut = new Set(rows.map(({ id }) => id))
  return page.map((record) =>
    record.replyToId !== null && leftOut.has(record.replyToId) ? { ...record, replyToId: null } : record
  )
}

/** @throws KeyUnavailable where the title may be opened another day */
async function describeConversation(
  { keyring, log }: ReadServices,
  conversation: ExportedConversation
): Promise<ConversationRecord> {
  const { id, historyVisibility, createdAt, titleDataKeyId } = conversation
  const keys = await keyring.openForWork(id, titleDataKeyId ? [titleDataKeyId] : [])
  const dataKey = titleDataKeyId ? keys.get(titleDataKeyId) : undefined
  // A title that is gone for good is no reason to keep the messages back.
  const title = dataKey ? decryptTitle(log, conversation, dataKey) : null
  return { type: 'conversation', id, title, historyVisibility, createdAt: createdAt.toISOString() }
}

async function* readMembers(
  { database }: Pick<Services, 'database'>,
  conversationId: string
): AsyncGenerator<MemberRecord[]> {
  let after = ''
  for (;;) {
    const rows = await database.run<MemberRow>(NEXT_MEMBERS, [conversationId, after, MEMBERS_PAGE])
    const last = rows.at(-1)
    if (!last) return
    yield rows.map((row) => ({ type: 'member', conversationId, ...row, joinedAt: row.joinedAt.toISOString() }))
    after = last.userId
  }
}
