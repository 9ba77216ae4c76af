import type { Statement } from '../database/database.js'
import type { Viewer } from '../identity/viewer.js'
import { MESSAGE_COLUMNS, MESSAGE_KEYS, type Message } from '../message/message.js'
import type { Services } from '../services.js'

// The batch is cut off where the log is read, in the order of its index: around the join below, the planner would read
// and sort all that follows the cursor, once for each batch. What comes in no certain order is put in order below.
export const READ_LOG: Statement = {
  name: 'read-log',
  text: `
    with viewed as (
      select c.id, c.last_change, m.visible_after
        from conversations c join members m on m.conversation_id = c.id and m.user_id = $2
       where c.id = $1 and c.deleted_at is null
    )
    select v.last_change::float8 as "lastChange", v.visible_after as "visibleAfter", ${MESSAGE_COLUMNS}
      from viewed v
      left join (
        lateral (
          select * from messages
           where conversation_id = $1 and change > $3 and sequence > v.visible_after
           order by change limit $4) x
        ${MESSAGE_KEYS}
      ) on true`
}

export const READ_TAIL: Statement = {
  name: 'read-tail-of-log',
  text: `
    select c.last_change::float8 as "lastChange", ${MESSAGE_COLUMNS}
      from conversations c
      left join (
        lateral (
          select * from messages where conversation_id = $1 and change > $2 order by change limit $3) x
        ${MESSAGE_KEYS}
      ) on true
     where c.id = $1 and c.deleted_at is null`
}

export const IS_THERE: Statement = {
  name: 'is-conversation-there',
  text: 'select from conversations where id = $1 and deleted_at is null'
}

/**
 * What follows a cursor: each message that changed after it, once, in its present state and in order.
 *
 * DELETED is also what a conversation is of which the rows are gone by now, or were never there.
 */
export type LogRead =
  | { state: 'READ'; messages: Message[]; lastChange: number; visibleAfter: number }
  | { state: 'REMOVED' }
  | { state: 'DELETED' }

/** A message, or the row that stands for there being none. */
type MaybeMessage = Message | { sequence: null }
type LogRow = MaybeMessage & { lastChange: number; visibleAfter: number }

/** @param after change number; @param limit messages at most */
export async function readLog(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationId: string,
  after: number,
  limit: number
): Promise<LogRead> {
  const rows = await database.run<LogRow>(READ_LOG, [conversationId, viewer.id, after, limit])
  const [first] = rows
  if (!first) {
    const live = await database.run(IS_THERE, [conversationId])
    return { state: live.length > 0 ? 'REMOVED' : 'DELETED' }
  }
  const { lastChange, visibleAfter } = first
  return { state: 'READ', messages: inOrder(rows), lastChange, visibleAfter }
}

/**
 * The same for nobody in particular: for those whose right to it is known.
 *
 * @returns null when the conversation is deleted
 */
export async function readTail(
  { database }: Pick<Services, 'database'>,
  conversationId: string,
  after: number,
  limit: number
): Promise<{ messages: Message[]; lastChange: number } | null> {
  const rows = await database.run<MaybeMessage & { lastChange: number }>(READ_TAIL, [conversationId, after, limit])
  const [first] = rows
  return first ? { messages: inOrder(rows), lastChange: first.lastChange } : null
}

function inOrder(rows: MaybeMessage[]): Message[] {
  return rows.filter((row): row is Message => row.sequence !== null).sort((a, b) => a.change - b.change)
}
