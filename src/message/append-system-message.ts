import type { EntityManager } from '@mikro-orm/postgresql'
import { v7 as uuidv7 } from 'uuid'
import type { SendingKey } from '../conversation-key/sending-keys.js'
import { messageAssociatedData } from '../crypto/associated-data.js'
import { encryptText } from '../crypto/encrypt-text.js'
import { type Conversation, ConversationEntity } from '../database/entities.js'
import type { Services } from '../services.js'

/**
 * Stores a message of the system itself, in the caller's transaction.
 *
 * @param conversation locked, its data key being `key`
 * @returns the conversation's row as it is now
 */
export async function appendSystemMessage(
  { clock }: Pick<Services, 'clock'>,
  em: EntityManager,
  conversation: Conversation,
  key: SendingKey,
  text: string
): Promise<Conversation> {
  const now = clock.now()
  const id = uuidv7()
  const context = {
    conversationId: conversation.id,
    messageId: id,
    senderId: null,
    dataKeyId: key.dataKeyId,
    revision: 0
  }
  const envelope = encryptText(key.dataKey, text, messageAssociatedData(context))
  const columns = {
    lastSequence: conversation.lastSequence + 1,
    lastChange: conversation.lastChange + 1,
    dataKeyUses: conversation.dataKeyUses + 1,
    dataKeyMessages: conversation.dataKeyMessages + 1,
    keyUsed: true,
    keyMessages: conversation.keyMessages + 1,
    keyRotatesAt: dueAfter(conversation, now),
    lastActivityAt: new Date(Math.max(now.getTime(), conversation.lastActivityAt.getTime()))
  }
  await em.nativeUpdate(ConversationEntity, { id: conversation.id }, columns)
  const { lastSequence, lastChange } = columns
  await em.execute(
    `insert into messages (conversation_id, sequence, id, kind, data_key_id, envelope, created_change, change, created_at)
     values (?, ?, ?, 'SYSTEM', ?, ?, ?, ?, ?)`,
    [conversation.id, lastSequence, id, key.dataKeyId, envelope, lastChange, lastChange, now]
  )
  return { ...conversation, ...columns }
}

/** When the key is due once one more message lies under it: at once, where that one reaches its limit. */
function dueAfter({ keyMessages, keyMessageLimit, keyRotatesAt }: Conversation, now: Date): Date | null {
  if (keyMessages + 1 !== keyMessageLimit) return keyRotatesAt
  return keyRotatesAt !== null && keyRotatesAt < now ? keyRotatesAt : now
}
