import type { Statement } from '../database/database.js'
import type { Member } from '../database/entities.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'

/** Where a page of members goes on: in the order in which they joined. */
export interface MemberPosition {
  joinedAt: Date
  userId: string
}

/** A page of the members of one conversation. */
export interface MemberPage {
  conversationId: string
  limit: number
  after: MemberPosition | null
}

// Where the page begins is one place of the index, also for the first page: whoever is in it comes in order.
export const LIST_MEMBERS: Statement = {
  name: 'list-members',
  text: `
    select wanted.place::integer, m.*
      from unnest((select $2)::uuid[], (select $3)::timestamptz[], (select $4)::text[], (select $5)::integer[])
             with ordinality as wanted (conversation_id, joined_at, user_id, size, place)
      join members v on v.conversation_id = wanted.conversation_id and v.user_id = $1
     cross join lateral (
       select m.conversation_id as "conversationId", m.user_id as "userId", m.role, m.joined_at as "joinedAt",
              m.visible_after as "visibleAfter", m.last_read_sequence as "lastReadSequence"
         from members m
        where m.conversation_id = wanted.conversation_id
          and (m.joined_at, m.user_id) > (coalesce(wanted.joined_at, '-infinity'), coalesce(wanted.user_id, ''))
        order by m.joined_at, m.user_id
        limit wanted.size) m
     order by wanted.place, m."joinedAt", m."userId"`
}

export const COUNT_MEMBERS: Statement = {
  name: 'count-members',
  text: `
    select v.conversation_id as "conversationId",
           (select count(*)::integer from members m where m.conversation_id = v.conversation_id) as count
      from members v
     where v.conversation_id = any((select $1)::uuid[]) and v.user_id = $2`
}

/**
 * Members of conversations in the order in which they joined; none for a viewer who is not among them.
 *
 * @returns in the order of the pages
 */
export async function listMembers(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  pages: readonly MemberPage[]
): Promise<Member[][]> {
  const values = [
    viewer.id,
    pages.map(({ conversationId }) => conversationId),
    pages.map(({ after }) => after?.joinedAt ?? null),
    pages.map(({ after }) => after?.userId ?? null),
    pages.map(({ limit }) => limit)
  ]
  const found = Map.groupBy(await database.run<Member & { place: number }>(LIST_MEMBERS, values), ({ place }) => place)
  return pages.map((_, index) => found.get(index + 1) ?? [])
}

/** How many members those of the conversations have that the viewer is in. */
export async function countMembers(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationIds: readonly string[]
): Promise<Map<string, number>> {
  const rows = await database.run<{ conversationId: string; count: number }>(COUNT_MEMBERS, [
    conversationIds,
    viewer.id
  ])
  return new Map(rows.map((row) => [row.conversationId, row.count]))
}
