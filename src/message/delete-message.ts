import type { Statement } from '../database/database.js'
import { Forbidden } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { mayRole } from '../membership/rights.js'
import type { Services } from '../services.js'
import { type MessageKey, requireMessage } from './find-messages.js'
import type { Message } from './message.js'

export const DELETE_MESSAGE: Statement = {
  name: 'delete-message',
  text: `
    with member as materialized (
      select m.conversation_id, m.role from members m where m.conversation_id = $1 and m.user_id = $2
         for share
    ), numbered as (
      update conversations c set last_change = c.last_change + 1
        from member m
       where c.id = m.conversation_id and c.deleted_at is null
      returning c.last_change, m.role
    )
    update messages x set envelope = null, deleted_at = $4, change = n.last_change
      from numbered n
     where x.conversation_id = $1 and x.id = $3 and x.deleted_at is null
       and (x.sender_id = $2 or n.role = any($5::text[]))
    returning x.change::float8 as change`
}

const ROLES = (['OWNER', 'MODERATOR', 'MEMBER'] as const).filter((role) => mayRole(role, 'delete messages'))

/**
 * Deletes a message, by its sender or by a role that may. Its ciphertext is gone from the row; the
 * message keeps its place. Deleting it again changes nothing.
 */
export async function deleteMessage(
  services: Pick<Services, 'database' | 'signals' | 'clock'>,
  viewer: Viewer,
  key: MessageKey
): Promise<Message> {
  const message = await requireMessage(services, viewer, key)
  if (message.kind === 'SYSTEM') throw new Forbidden('A system message cannot be deleted.')
  if (message.senderId !== viewer.id && !mayRole(message.viewerRole, 'delete messages')) {
    throw new Forbidden('Only its sender, a moderator or an owner can delete a message.')
  }
  if (message.deletedAt) return message
  const deletedAt = services.clock.now()
  const values = [message.conversationId, viewer.id, message.id, deletedAt, ROLES]
  const [deleted] = await services.database.run<{ change: number }>(DELETE_MESSAGE, values)
  // Somebody else deleted it first, or the right to was lost meanwhile: say what holds now.
  if (!deleted) return await requireDeleted(services, viewer, key)
  services.signals.publish(`conversation:${message.conversationId}`)
  return { ...message, envelope: null, deletedAt, change: deleted.change }
}

async function requireDeleted(services: Pick<Services, 'database'>, viewer: Viewer, key: MessageKey): Promise<Message> {
  const message = await requireMessage(services, viewer, key)
  if (!message.deletedAt) throw new Forbidden('Your role no longer allows you to delete this message.')
  return message
}
