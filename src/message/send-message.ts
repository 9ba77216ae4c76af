import { v7 as uuidv7 } from 'uuid'
import { COUNT_KEY_USE, IS_SENDING_KEY, type SendingKey, STALE_KEY } from '../conversation-key/sending-keys.js'
import { messageAssociatedData } from '../crypto/associated-data.js'
import { encryptContent } from '../crypto/content-encryption.js'
import { isUniqueViolation, type Statement } from '../database/database.js'
import { BadUserInput, Conflict, NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { findByClientMessageId } from './find-messages.js'
import type { Message } from './message.js'
import { requireBody, requireClientMessageId } from './message-body.js'

export interface MessageDraft {
  conversationId: string
  body: string
  clientMessageId: string | null
  /** UUID of a message of the same conversation. */
  replyToId: string | null
}

// Membership, the data key and the sequence in one statement. The member's row is locked first: a
// removal either waits for this message or is seen by it. What concerns the data key stands on the
// conversation's row, which the update locks and looks at afresh after waiting for it.
const STORE: Statement = {
  name: 'store-message',
  text: `
    with member as materialized (
      select m.conversation_id, m.visible_after from members m
       where m.conversation_id = $1 and m.user_id = $2
         for key share
    ), reply as (
      select r.id from messages r, member m
       where r.conversation_id = $1 and r.id = $6 and r.sequence > m.visible_after
    ), numbered as (
      update conversations c
         set last_sequence = c.last_sequence + 1, last_change = c.last_change + 1,
             data_key_uses = c.data_key_uses + 1, data_key_messages = c.data_key_messages + 1,
             last_activity_at = greatest(c.last_activity_at, $8::timestamptz), ${COUNT_KEY_USE('$8')}
        from member m
       where c.id = m.conversation_id and c.deleted_at is null
         and ${IS_SENDING_KEY('$4', '$9', '$8')}
         and ($6::uuid is null or exists (select from reply))
         and not exists (select from messages d
                          where d.conversation_id = $1 and d.sender_id = $2 and d.client_message_id = $5)
      returning c.last_sequence, c.last_change
    ), stored as (
      insert into messages (conversation_id, sequence, id, kind, sender_id, client_message_id, data_key_id,
                            envelope, created_change, change, reply_to_id, created_at)
      select $1, n.last_sequence, $3, 'TEXT', $2, $5, $4, $7, n.last_change, n.last_change, $6, $8 from numbered n
      returning sequence, change
    )
    select exists (select from member) as "isMember", exists (select from reply) as "replyFound",
           s.sequence, s.change::float8 as change
      from (values (1)) as one left join stored s on true`
}

interface Stored {
  isMember: boolean
  replyFound: boolean
  sequence: number | null
  change: number | null
}

type SendServices = Pick<
  Services,
  'database' | 'keyring' | 'sendingKeys' | 'sendPace' | 'messageOpener' | 'signals' | 'clock' | 'config'
>

/**
 * Encrypts a message and stores it. When the promise resolves the message is committed.
 *
 * With a `clientMessageId` a retry is safe: the same id by the same sender never stores twice.
 */
export async function sendMessage(services: SendServices, viewer: Viewer, draft: MessageDraft): Promise<Message> {
  const body = requireBody('input.body', draft.body, services.config.maxBodyBytes)
  if (draft.clientMessageId !== null) requireClientMessageId('input.clientMessageId', draft.clientMessageId)
  const id = uuidv7()
  const message = await services.sendingKeys.use(draft.conversationId, viewer, (key) =>
    store(services, viewer, draft, { id, body }, key)
  )
  services.signals.publish(`conversation:${message.conversationId}`)
  return message
}

async function store(
  services: SendServices,
  viewer: Viewer,
  draft: MessageDraft,
  { id, body }: { id: string; body: Buffer },
  key: SendingKey
): Promise<Message | typeof STALE_KEY> {
  const { conversationId, clientMessageId, replyToId } = draft
  const context = { conversationId, messageId: id, senderId: viewer.id, dataKeyId: key.dataKeyId, revision: 0 }
  const envelope = encryptContent(key.dataKey, body, messageAssociatedData(context))
  const createdAt = services.clock.now()
  const values = [
    conversationId,
    viewer.id,
    id,
    key.dataKeyId,
    clientMessageId,
    replyToId,
    envelope,
    createdAt,
    services.config.dataKeyMaxMessages
  ]
  const stored = await services.sendPace.measure(() => run(services, values))
  if (stored?.sequence == null || stored.change === null) return await whyNotStored(services, viewer, draft, stored)
  return {
    conversationId,
    sequence: stored.sequence,
    id,
    kind: 'TEXT',
    senderId: viewer.id,
    dataKeyId: key.dataKeyId,
    keyVersion: key.keyVersion,
    keyState: 'ACTIVE',
    envelope,
    revision: 0,
    createdChange: stored.change,
    change: stored.change,
    replyToId,
    createdAt,
    editedAt: null,
    deletedAt: null
  }
}

/** @returns null when the same client message id was stored at the same moment by another request */
async function run({ database }: Pick<Services, 'database'>, values: unknown[]): Promise<Stored | null> {
  try {
    const [stored] = await database.run<Stored>(STORE, values)
    return stored ?? null
  } catch (error) {
    if (isUniqueViolation(error)) return null
    throw error
  }
}

async function whyNotStored(
  services: SendServices,
  viewer: Viewer,
  draft: MessageDraft,
  stored: Stored | null
): Promise<Message | typeof STALE_KEY> {
  if (stored && !stored.isMember) throw new NotFound('conversation')
  if (stored && draft.replyToId !== null && !stored.replyFound) {
    throw new BadUserInput('input.replyToId', 'There is no such message in this conversation.')
  }
  return (await storedBefore(services, viewer, draft)) ?? STALE_KEY
}

/** The message that an earlier try of the same send has stored. */
async function storedBefore(services: SendServices, viewer: Viewer, draft: MessageDraft): Promise<Message | null> {
  if (draft.clientMessageId === null) return null
  const earlier = await findByClientMessageId(services, viewer, draft.conversationId, draft.clientMessageId)
  if (!earlier) return null
  const [opened] = await services.messageOpener.open([earlier])
  // An edited message differs from what was sent; there is then nothing to compare with.
  if (opened?.status === 'READABLE' && earlier.revision === 0 && opened.body !== draft.body) {
    throw new Conflict('This client message id was used for another body. Use a new id for a new message.')
  }
  return earlier
}
