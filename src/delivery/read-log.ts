import type { Statement } from '../database/database.js'
import type { Viewer } from '../identity/viewer.js'
import { MESSAGE_COLUMNS, MESSAGE_KEYS, type Message } from '../message/message.js'
import type { Services } from '../services.js'

const READ: Statement = {
  name: 'read-log',
  text: `
    with viewed as (
      select c.id, c.last_change, m.visible_after
        from conversations c join members m on m.conversation_id = c.id and m.user_id = $2
       where c.id = $1 and c.deleted_at is null
    )
    select v.last_change::float8 as "lastChange", ${MESSAGE_COLUMNS}
      from viewed v
      left join (
        messages x ${MESSAGE_KEYS}
      ) on x.conversation_id = v.id and x.change > $3 and x.sequence > v.visible_after
     order by x.change
     limit $4`
}

const IS_DELETED: Statement = {
  name: 'is-conversation-deleted',
  text: 'select from conversations where id = $1 and deleted_at is not null'
}

/** What follows a cursor: each message that changed after it, once, in its present state and in order. */
export type LogRead =
  | { state: 'READ'; messages: Message[]; lastChange: number }
  | { state: 'REMOVED' }
  | { state: 'DELETED' }

type LogRow = { lastChange: number } & (Message | { sequence: null })

/** @param after change number; @param limit messages at most */
export async function readLog(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationId: string,
  after: number,
  limit: number
): Promise<LogRead> {
  const rows = await database.run<LogRow>(READ, [conversationId, viewer.id, after, limit])
  const [first] = rows
  if (!first) {
    const deleted = await database.run(IS_DELETED, [conversationId])
    return { state: deleted.length > 0 ? 'DELETED' : 'REMOVED' }
  }
  const messages = rows.filter((row): row is { lastChange: number } & Message => row.sequence !== null)
  return { state: 'READ', messages, lastChange: first.lastChange }
}
