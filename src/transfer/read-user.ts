import type { Statement } from '../database/database.js'
import type { MemberRole } from '../database/entities.js'
import type { Services } from '../services.js'
import { NamedUsers } from './named-users.js'
import { readMessages } from './read-messages.js'
import type { ExportRecord } from './records.js'

const CONVERSATIONS_PAGE = 500

// By the index that client message ids have: one look for each conversation that there is. An index of who has written
// what would be written with every message, for a question that is asked once in a while.
const NEXT_CONVERSATIONS: Statement = {
  text: `
    select c.id, c.last_sequence as "lastSequence",
           exists (select from messages x where x.conversation_id = c.id and x.sender_id = $1) as wrote,
           m.role, m.joined_at as "joinedAt", m.visible_after as "visibleAfter", m.last_read_sequence as "lastReadSequence"
      from (select * from conversations
             where id > $2 and deleted_at is null order by id limit $3) c
      left join members m on m.conversation_id = c.id and m.user_id = $1
     order by c.id`
}

interface Row {
  id: string
  lastSequence: number
  wrote: boolean
  role: MemberRole | null
  joinedAt: Date | null
  visibleAfter: number
  lastReadSequence: number
}

type ReadServices = Pick<Services, 'database' | 'keyring' | 'messageOpener' | 'users'>

/** Everything that one user wrote, in whatever conversation, left ones among them, and where that user is a member. */
export async function* readUser(services: ReadServices, userId: string): AsyncGenerator<ExportRecord> {
  yield* await new NamedUsers(services).tell([userId])
  for await (const { id: conversationId, lastSequence: to, wrote, ...member } of conversationsOf(services, userId)) {
    if (wrote) {
      const range = { conversationId, after: 0, to, senderId: userId }
      for await (const page of readMessages(services, range)) yield* page
    }
    const { role, joinedAt, visibleAfter, lastReadSequence } = member
    if (!role || !joinedAt) continue
    const joined = { joinedAt: joinedAt.toISOString(), visibleAfter, lastReadSequence }
    yield { type: 'member', conversationId, userId, role, ...joined }
  }
}

async function* conversationsOf({ database }: Pick<Services, 'database'>, userId: string): AsyncGenerator<Row> {
  let after = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const rows = await database.run<Row>(NEXT_CONVERSATIONS, [userId, after, CONVERSATIONS_PAGE])
    const last = rows.at(-1)
    if (!last) return
    yield* rows.filter(({ wrote, role }) => wrote || role !== null)
    after = last.id
  }
}
