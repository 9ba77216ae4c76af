import type { EntityManager } from '@mikro-orm/postgresql'
import { activateNextVersion } from '../conversation-key/activate-version.js'
import { type SendingKey, STALE_KEY } from '../conversation-key/sending-keys.js'
import { type Conversation, ConversationEntity, type RotationReason } from '../database/entities.js'
import type { Viewer } from '../identity/viewer.js'
import { appendSystemMessage } from '../message/append-system-message.js'
import type { Services } from '../services.js'

export interface ConversationChange {
  /** The locked row, as it was before this change. */
  conversation: Conversation
  /** Text of the system message that tells the members what happened; null when nothing did. */
  notice: string | null
  /** Further columns that the change sets. */
  columns?: Partial<Conversation>
  /** Who has come or gone: their streams of all conversations are told. */
  members?: string[]
  /** Set where the key is rotated behind the notice, in the same transaction. */
  rotate?: RotationReason | null
}

/**
 * Changes a conversation and tells its members in one transaction: `change` checks rights, makes its
 * changes and locks the conversation's row; the system message follows in that same transaction.
 * Subscribers are woken after it has committed.
 *
 * @param change runs again when the data key it was given is no longer the active one
 */
export async function changeConversation(
  services: Pick<Services, 'keySupply' | 'keyDefaultsId' | 'sendingKeys' | 'signals' | 'clock' | 'config'>,
  viewer: Viewer,
  conversationId: string,
  change: (em: EntityManager, key: SendingKey) => Promise<ConversationChange>
): Promise<void> {
  const { keySupply, sendingKeys, signals, clock } = services
  await sendingKeys.admit(conversationId, viewer)
  const members = await sendingKeys.use(conversationId, async (key) => {
    try {
      return await keySupply.withKeyPair(async (em, takePair) => {
        const { conversation, notice, columns, rotate, members = [] } = await change(em, key)
        if (notice === null) return []
        if (!isActive(services, conversation, key)) throw new StaleKey()
        if (columns) await em.nativeUpdate(ConversationEntity, { id: conversationId }, columns)
        const now = await appendSystemMessage(services, em, conversation, key, notice)
        if (!rotate) return members
        const activation = { reason: rotate, now: clock.now(), actor: viewer.id }
        await activateNextVersion(em, now, await takePair(), services, activation)
        return members
      })
    } catch (error) {
      if (error instanceof StaleKey) return STALE_KEY
      throw error
    }
  })
  signals.publish(`conversation:${conversationId}`)
  for (const userId of members) signals.publish(`user:${userId}`)
}

/** Rolls the transaction back; the whole change is then made again under another data key. */
class StaleKey extends Error {}

function isActive(
  { clock, config }: Pick<Services, 'clock' | 'config'>,
  conversation: Conversation,
  key: SendingKey
): boolean {
  const { dataKeyId, dataKeyUses, dataKeyExpiresAt, keyUsed, keyRotatesAt } = conversation
  const now = clock.now()
  if (dataKeyId !== key.dataKeyId || dataKeyExpiresAt === null || dataKeyExpiresAt <= now) return false
  const isDue = keyUsed && keyRotatesAt !== null && keyRotatesAt <= now
  return dataKeyUses < config.dataKeyMaxMessages && !isDue
}
