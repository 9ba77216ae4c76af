import type { Statement } from '../database/database.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'

/** Counting stops here, so that a conversation unread for years costs no more than a busy one. */
export const UNREAD_MAX = 1000

export const COUNT_UNREAD: Statement = {
  name: 'count-unread',
  text: `
    select m.conversation_id as "conversationId", unread.count
      from members m
     cross join lateral (
       select count(*)::integer as count from (
         select from messages x
          where x.conversation_id = m.conversation_id
            and x.sequence > greatest(m.last_read_sequence, m.visible_after)
            and x.kind = 'TEXT' and x.sender_id <> m.user_id and x.deleted_at is null
          limit ${UNREAD_MAX}) counted) unread
     where m.user_id = $1 and m.conversation_id = any((select $2)::uuid[])`
}

/** Messages that others sent after the viewer's read mark, and did not delete, by conversation. */
export async function countUnread(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationIds: readonly string[]
): Promise<Map<string, number>> {
  const rows = await database.run<{ conversationId: string; count: number }>(COUNT_UNREAD, [viewer.id, conversationIds])
  return new Map(rows.map((row) => [row.conversationId, row.count]))
}
