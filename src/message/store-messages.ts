import {
  COUNT_KEY_USES,
  IS_SENDING_KEY,
  type SendingKey,
  STALE_KEY,
  USES_LEFT
} from '../conversation-key/sending-keys.js'
import { messageAssociatedData } from '../crypto/associated-data.js'
import { encryptContent } from '../crypto/content-encryption.js'
import { isUniqueViolation, type Statement } from '../database/database.js'
import type { Services } from '../services.js'
import type { Message } from './message.js'

/** A message that was checked and has its id, and neither a data key nor a place yet. */
export interface UnsentMessage {
  id: string
  senderId: string
  body: Buffer
  clientMessageId: string | null
  /** UUID of a message of the same conversation. */
  replyToId: string | null
}

/** Why a message was not stored, for good; or {@link STALE_KEY}, when it goes again under the next data key. */
export type NotStored = 'NOT_MEMBER' | 'STORED_BEFORE' | 'REPLY_UNKNOWN' | typeof STALE_KEY

// Memberships, the data key and the sequences in one statement. The members' rows are locked first, in the order
// of roles.ts: a removal either waits for these messages or is seen by them. What concerns the data key stands on the
// conversation's row, which `locked` shows as it is after waiting for it, and which says how many messages fit.
// Look-ups of single messages are scalar subqueries: a plan that hashes a conversation's messages is out of question.
const STORE: Statement = {
  name: 'store-messages',
  text: `
    with member as materialized (
      select m.user_id, m.visible_after from members m
       where m.conversation_id = $1 and m.user_id = any((select $3)::text[])
       order by m.user_id
         for key share
    ), draft as materialized (
      select d.*, m.user_id is not null as is_member,
             d.client_message_id is not null and
               (select e.sequence from messages e
                 where e.conversation_id = $1 and e.sender_id = d.sender_id
                   and e.client_message_id = d.client_message_id) is not null as is_stored,
             d.reply_to_id is null or coalesce(
               (select r.sequence from messages r where r.conversation_id = $1 and r.id = d.reply_to_id)
                 > m.visible_after, false) as reply_found
        from unnest((select $2)::uuid[], (select $3)::text[], (select $4)::text[], (select $5)::uuid[],
                    (select $6)::bytea[]) with ordinality
          as d (id, sender_id, client_message_id, reply_to_id, envelope, place)
        left join member m on m.user_id = d.sender_id
    ), storable as materialized (
      select d.*, row_number() over (order by d.place) as nth from draft d
       where d.is_member and not d.is_stored and d.reply_found
    ), locked as materialized (
      select c.id, c.last_sequence, c.last_change, least(s.count, ${USES_LEFT('$9', '$8')}) as taken
        from conversations c, (select count(*) from storable) s
       where c.id = $1 and s.count > 0 and c.deleted_at is null and ${IS_SENDING_KEY('$7', '$9', '$8')}
         for no key update of c
    ), counted as (
      update conversations c
         set last_sequence = c.last_sequence + l.taken, last_change = c.last_change + l.taken,
             data_key_uses = c.data_key_uses + l.taken, data_key_messages = c.data_key_messages + l.taken,
             last_activity_at = greatest(c.last_activity_at, $8::timestamptz), ${COUNT_KEY_USES('l.taken', '$8')}
        from locked l
       where c.id = l.id
    ), stored as (
      insert into messages (conversation_id, sequence, id, kind, sender_id, client_message_id, data_key_id,
                            envelope, created_change, change, reply_to_id, created_at)
      select $1, l.last_sequence + s.nth, s.id, 'TEXT', s.sender_id, s.client_message_id, $7,
             s.envelope, l.last_change + s.nth, l.last_change + s.nth, s.reply_to_id, $8
        from locked l join storable s on s.nth <= l.taken
      returning id, sequence, change
    )
    select d.is_member as "isMember", d.is_stored as "isStored", d.reply_found as "replyFound",
           s.sequence, s.change::float8 as change
      from draft d left join stored s on s.id = d.id
     order by d.place`
}

interface Row {
  isMember: boolean
  isStored: boolean
  replyFound: boolean
  sequence: number | null
  change: number | null
}

type StoreServices = Pick<Services, 'database' | 'sendPace' | 'clock' | 'config'>

/**
 * Encrypts messages of one conversation, each by itself, and stores them in one statement and in their order.
 *
 * As many are stored as fit under the data key and the key above it. One that cannot be stored changes nothing for
 * the others.
 *
 * @param unsent no two by one sender with the same client message id
 * @returns for each in turn the stored message, or why there is none
 */
export async function storeMessages(
  services: StoreServices,
  conversationId: string,
  unsent: readonly UnsentMessage[],
  key: SendingKey
): Promise<(Message | NotStored)[]> {
  const { dataKeyId, dataKey } = key
  const sealed = unsent.map((message) => {
    const context = { conversationId, messageId: message.id, senderId: message.senderId, dataKeyId, revision: 0 }
    return { ...message, envelope: encryptContent(dataKey, message.body, messageAssociatedData(context)) }
  })
  return await storeSealed(services, conversationId, sealed, key)
}

type SealedMessage = UnsentMessage & { envelope: Buffer }

async function storeSealed(
  services: StoreServices,
  conversationId: string,
  sealed: SealedMessage[],
  key: SendingKey
): Promise<(Message | NotStored)[]> {
  const createdAt = services.clock.now()
  try {
    const rows = await run(services, conversationId, sealed, key, createdAt)
    return sealed.map((message, index) => outcome(conversationId, message, key, createdAt, rows[index]))
  } catch (error) {
    // While the statement waited for the conversation another process stored a message with the same client id,
    // which a statement that begins now finds. In halves, so that whatever is refused ends up alone.
    if (!isUniqueViolation(error)) throw error
    if (sealed.length === 1) return ['STORED_BEFORE']
    const half = Math.ceil(sealed.length / 2)
    const first = await storeSealed(services, conversationId, sealed.slice(0, half), key)
    return [...first, ...(await storeSealed(services, conversationId, sealed.slice(half), key))]
  }
}

async function run(
  { database, sendPace, config }: StoreServices,
  conversationId: string,
  sealed: SealedMessage[],
  { dataKeyId }: SendingKey,
  createdAt: Date
): Promise<Row[]> {
  const values = [
    conversationId,
    sealed.map(({ id }) => id),
    sealed.map(({ senderId }) => senderId),
    sealed.map(({ clientMessageId }) => clientMessageId),
    sealed.map(({ replyToId }) => replyToId),
    sealed.map(({ envelope }) => envelope),
    dataKeyId,
    createdAt,
    config.dataKeyMaxMessages
  ]
  return await sendPace.measure(() => database.run<Row>(STORE, values))
}

function outcome(
  conversationId: string,
  { id, senderId, envelope, replyToId }: SealedMessage,
  { dataKeyId, keyVersion }: SendingKey,
  createdAt: Date,
  row: Row | undefined
): Message | NotStored {
  if (!row?.isMember) return 'NOT_MEMBER'
  if (row.isStored) return 'STORED_BEFORE'
  if (!row.replyFound) return 'REPLY_UNKNOWN'
  if (row.sequence === null || row.change === null) return STALE_KEY
  return {
    conversationId,
    sequence: row.sequence,
    id,
    kind: 'TEXT',
    senderId,
    dataKeyId,
    keyVersion,
    keyState: 'ACTIVE',
    envelope,
    revision: 0,
    createdChange: row.change,
    change: row.change,
    replyToId,
    createdAt,
    editedAt: null,
    deletedAt: null
  }
}
