import type { Statement } from '../database/database.js'
import type { Conversation, MemberRole } from '../database/entities.js'
import { NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'

/** A conversation as one of its members sees it: read together with the membership that allows it. */
export type ViewedConversation = Pick<
  Conversation,
  | 'id'
  | 'historyVisibility'
  | 'title'
  | 'titleDataKeyId'
  | 'titleRevision'
  | 'lastSequence'
  | 'lastChange'
  | 'createdAt'
  | 'keyPolicy'
  | 'lastActivityAt'
> & {
  viewerRole: MemberRole
  visibleAfter: number
  lastReadSequence: number
}

const COLUMNS = `
  c.id, c.history_visibility as "historyVisibility", c.title, c.title_data_key_id as "titleDataKeyId",
  c.title_revision as "titleRevision", c.last_sequence as "lastSequence", c.last_change::float8 as "lastChange", c.created_at as "createdAt",
  c.last_activity_at as "lastActivityAt", m.role as "viewerRole", m.visible_after as "visibleAfter",
  m.last_read_sequence as "lastReadSequence", c.key_policy as "keyPolicy"`

export const FIND_CONVERSATIONS: Statement = {
  name: 'find-conversations',
  text: `
    select ${COLUMNS}
      from members m join conversations c on c.id = m.conversation_id
     where m.user_id = $1 and m.conversation_id = any((select $2)::uuid[]) and c.deleted_at is null`
}

export const LIST_CONVERSATIONS: Statement = {
  name: 'list-conversations',
  text: `
    select ${COLUMNS}
      from members m join conversations c on c.id = m.conversation_id
     where m.user_id = $1 and c.deleted_at is null
       and ($2::timestamptz is null or (c.last_activity_at, c.id) < ($2, $3::uuid))
     order by c.last_activity_at desc, c.id desc
     limit $4`
}

export const COUNT_CONVERSATIONS: Statement = {
  name: 'count-conversations',
  text: `
    select count(*)::integer as count
      from members m join conversations c on c.id = m.conversation_id
     where m.user_id = $1 and c.deleted_at is null`
}

/** Those of the conversations that the viewer is in. */
export async function findConversations(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  ids: readonly string[]
): Promise<Map<string, ViewedConversation>> {
  const rows = await database.run<ViewedConversation>(FIND_CONVERSATIONS, [viewer.id, ids])
  return new Map(rows.map((row) => [row.id, row]))
}

/** @throws NotFound when the viewer is not in the conversation, whether or not it exists */
export async function requireConversation(
  services: Pick<Services, 'database'>,
  viewer: Viewer,
  id: string
): Promise<ViewedConversation> {
  const found = (await findConversations(services, viewer, [id])).get(id)
  if (!found) throw new NotFound('conversation')
  return found
}

/** Latest activity first. `after` is the last conversation of the page before. */
export async function listConversations(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  limit: number,
  after: { lastActivityAt: Date; id: string } | null
): Promise<ViewedConversation[]> {
  return await database.run(LIST_CONVERSATIONS, [viewer.id, after?.lastActivityAt ?? null, after?.id ?? null, limit])
}

export async function countConversations({ database }: Pick<Services, 'database'>, viewer: Viewer): Promise<number> {
  const [row] = await database.run<{ count: number }>(COUNT_CONVERSATIONS, [viewer.id])
  return row?.count ?? 0
}
