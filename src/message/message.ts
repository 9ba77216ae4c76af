import type { KeyState } from '../database/entities.js'

/** A message as stored: its body still encrypted. */
export interface Message {
  conversationId: string
  /** 1, 2, 3 … without gaps within a conversation. */
  sequence: number
  id: string
  kind: 'TEXT' | 'SYSTEM'
  /** Null for a system message. */
  senderId: string | null
  /** What its sender has called it, by which it is stored once. */
  clientMessageId: string | null
  dataKeyId: string
  /** The key version that the data key is wrapped under today. */
  keyVersion: number
  /** State of that version when the row was read: it has the last word, whatever is cached. */
  keyState: KeyState
  /** Null once deleted. */
  envelope: Buffer | null
  /** 0 as sent, one more with every edit. */
  revision: number
  /** Number of the change that made this message. */
  createdChange: number
  /** Number of its latest change. */
  change: number
  replyToId: string | null
  createdAt: Date
  editedAt: Date | null
  deletedAt: Date | null
}

/** Select list for a {@link Message}, from `messages x` with its {@link MESSAGE_KEYS}. float8 holds integers up to 2^53. */
export const MESSAGE_COLUMNS = `
  x.conversation_id as "conversationId", x.sequence, x.id, x.kind, x.sender_id as "senderId",
  x.client_message_id as "clientMessageId", x.data_key_id as "dataKeyId", d.key_version as "keyVersion", k.state as "keyState",
  x.envelope, x.revision, x.created_change::float8 as "createdChange", x.change::float8 as change, x.reply_to_id as "replyToId",
  x.created_at as "createdAt", x.edited_at as "editedAt", x.deleted_at as "deletedAt"`

/** The data key `d` of a message `x`, and the key version `k` that it is wrapped under. */
export const MESSAGE_KEYS = `
  join data_keys d on d.conversation_id = x.conversation_id and d.id = x.data_key_id
  join conversation_keys k on k.conversation_id = d.conversation_id and k.version = d.key_version`
