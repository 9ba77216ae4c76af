import type { Statement } from '../database/database.js'
import type { Member } from '../database/entities.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'

/** Where a page of members goes on: in the order in which they joined. */
export interface MemberPosition {
  joinedAt: Date
  userId: string
}

const VIEWER_IS_MEMBER = 'exists (select from members v where v.conversation_id = $1 and v.user_id = $2)'

// Where the page begins is one place of the index, also for the first page: whoever is in it comes in order.
export const LIST_MEMBERS: Statement = {
  name: 'list-members',
  text: `
    select m.conversation_id as "conversationId", m.user_id as "userId", m.role, m.joined_at as "joinedAt",
           m.visible_after as "visibleAfter", m.last_read_sequence as "lastReadSequence"
      from members m
     where m.conversation_id = $1 and ${VIEWER_IS_MEMBER}
       and (m.joined_at, m.user_id) > (coalesce($3::timestamptz, '-infinity'), coalesce($4, ''))
     order by m.joined_at, m.user_id
     limit $5`
}

export const COUNT_MEMBERS: Statement = {
  name: 'count-members',
  text: `select count(*)::integer as count from members m where m.conversation_id = $1 and ${VIEWER_IS_MEMBER}`
}

/** Members of a conversation in the order in which they joined; none for a viewer who is not among them. */
export async function listMembers(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationId: string,
  limit: number,
  after: MemberPosition | null
): Promise<Member[]> {
  return await database.run(LIST_MEMBERS, [
    conversationId,
    viewer.id,
    after?.joinedAt ?? null,
    after?.userId ?? null,
    limit
  ])
}

export async function countMembers(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationId: string
): Promise<number> {
  const [row] = await database.run<{ count: number }>(COUNT_MEMBERS, [conversationId, viewer.id])
  return row?.count ?? 0
}
