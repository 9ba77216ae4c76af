import type { Statement } from '../database/database.js'
import { NotFound } from '../errors.js'
import { MESSAGE_COLUMNS, MESSAGE_KEYS, type Message } from '../message/message.js'
import type { Services } from '../services.js'
import type { MessageRecord } from './records.js'

/** Messages that are read and opened at a time. */
const PAGE = 500

// Sequences have no gaps: a page is a window of them, whatever the planner thinks of how many there are in a conversation.
export const EXPORT_MESSAGES: Statement = {
  name: 'export-messages',
  text: `
    select ${MESSAGE_COLUMNS}
      from (select * from messages
             where conversation_id = $1 and sequence > $2 and sequence <= $3 and ($4::text is null or sender_id = $4)) x
      ${MESSAGE_KEYS}
     order by x.sequence`
}

/** Which messages: those behind `after`, up to `to`, by one sender or by all. */
export interface MessageRange {
  conversationId: string
  after: number
  to: number
  senderId: string | null
}

type ReadServices = Pick<Services, 'database' | 'keyring' | 'messageOpener'>

/**
 * Messages of a conversation in their order, opened, a page at a time. Each is as it is when its page is read.
 *
 * @throws KeyUnavailable where a master key is out of reach: an export with holes that another day has not is none;
 * NotFound where messages by all senders are wanted and some of them are gone
 */
export async function* readMessages(services: ReadServices, range: MessageRange): AsyncGenerator<MessageRecord[]> {
  const { database, keyring, messageOpener } = services
  const { conversationId, to, senderId } = range
  for (let { after } = range; after < to; after += PAGE) {
    const end = Math.min(after + PAGE, to)
    const rows = await database.run<Message>(EXPORT_MESSAGES, [conversationId, after, end, senderId])
    // It was purged meanwhile: what is left of it is not the conversation.
    if (senderId === null && rows.length !== end - after) throw new NotFound('conversation')
    if (rows.length === 0) continue
    await keyring.openForWork(
      conversationId,
      rows.filter(isWanted).map(({ dataKeyId }) => dataKeyId)
    )
    const opened = await messageOpener.open(rows)
    yield rows.map((row, index): MessageRecord => {
      const { status, body } = opened[index] ?? { status: 'UNREADABLE', body: null }
      return { ...describe(row), status, body }
    })
  }
}

function isWanted({ envelope, keyState }: Message): boolean {
  return envelope !== null && keyState !== 'DESTROYED' && keyState !== 'PENDING_DESTRUCTION'
}

function describe(row: Message): Omit<MessageRecord, 'status' | 'body'> {
  const { conversationId, sequence, id, kind, senderId, clientMessageId, replyToId, revision } = row
  const instants = {
    createdAt: row.createdAt.toISOString(),
    editedAt: row.editedAt?.toISOString() ?? null,
    deletedAt: row.deletedAt?.toISOString() ?? null
  }
  return {
    type: 'message',
    conversationId,
    sequence,
    id,
    kind,
    senderId,
    clientMessageId,
    replyToId,
    revision,
    ...instants
  }
}
