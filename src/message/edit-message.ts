import { COUNT_KEY_USES, IS_SENDING_KEY, type SendingKey, STALE_KEY } from '../conversation-key/sending-keys.js'
import { messageAssociatedData } from '../crypto/associated-data.js'
import { encryptContent } from '../crypto/content-encryption.js'
import type { Statement } from '../database/database.js'
import { Conflict, Forbidden } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { type MessageKey, requireMessage } from './find-messages.js'
import type { Message } from './message.js'
import { requireBody } from './message-body.js'

// As when storing. The last update looks at the revision again on the locked row: of two edits made
// at once the second finds its revision gone, changes nothing, and is made again.
export const EDIT_MESSAGE: Statement = {
  name: 'edit-message',
  text: `
    with member as materialized (
      select m.conversation_id from members m where m.conversation_id = $1 and m.user_id = $2
         for key share
    ), numbered as (
      update conversations c
         set last_change = c.last_change + 1, data_key_uses = c.data_key_uses + 1, ${COUNT_KEY_USES('1', '$7')}
        from member m
       where c.id = m.conversation_id and c.deleted_at is null
         and ${IS_SENDING_KEY('$4', '$8', '$7')}
      returning c.last_change
    )
    update messages x
       set envelope = $5, data_key_id = $4, revision = $6, edited_at = $7, change = n.last_change
      from numbered n
     where x.conversation_id = $1 and x.id = $3 and x.sender_id = $2 and x.revision = $6 - 1 and x.deleted_at is null
    returning x.change::float8 as change`
}

type EditServices = Pick<Services, 'database' | 'sendingKeys' | 'signals' | 'clock' | 'config'>

/** Replaces the body of a message by its sender. The old body's ciphertext is gone. */
export async function editMessage(
  services: EditServices,
  viewer: Viewer,
  key: MessageKey,
  text: string
): Promise<Message> {
  const body = requireBody('body', text, services.config.maxBodyBytes)
  try {
    const edited = await storeEdit(services, viewer, key, body)
    services.signals.publish(`conversation:${edited.conversationId}`)
    return edited
  } finally {
    body.fill(0)
  }
}

async function storeEdit(services: EditServices, viewer: Viewer, key: MessageKey, body: Buffer): Promise<Message> {
  let message = await requireEditable(services, viewer, key)
  return await services.sendingKeys.use(key.conversationId, async (sendingKey) => {
    const result = await replaceBody(services, viewer, message, body, sendingKey)
    // Another edit, a deletion, a rotation or a removal came first: all of them are looked at again.
    if (result === STALE_KEY) message = await requireEditable(services, viewer, key)
    return result
  })
}

async function requireEditable(services: EditServices, viewer: Viewer, key: MessageKey): Promise<Message> {
  const message = await requireMessage(services, viewer, key)
  if (message.senderId !== viewer.id) throw new Forbidden('Only its sender can edit a message.')
  if (message.deletedAt) throw new Conflict('The message was deleted; it cannot be edited any more.')
  return message
}

async function replaceBody(
  services: EditServices,
  viewer: Viewer,
  message: Message,
  body: Buffer,
  { dataKeyId, dataKey, keyVersion }: SendingKey
): Promise<Message | typeof STALE_KEY> {
  const { conversationId, id } = message
  const revision = message.revision + 1
  const context = { conversationId, messageId: id, senderId: viewer.id, dataKeyId, revision }
  const envelope = encryptContent(dataKey, body, messageAssociatedData(context))
  const editedAt = services.clock.now()
  const values = [
    conversationId,
    viewer.id,
    id,
    dataKeyId,
    envelope,
    revision,
    editedAt,
    services.config.dataKeyMaxMessages
  ]
  const [stored] = await services.database.run<{ change: number }>(EDIT_MESSAGE, values)
  if (!stored) return STALE_KEY
  return { ...message, envelope, dataKeyId, keyVersion, keyState: 'ACTIVE', revision, editedAt, change: stored.change }
}
