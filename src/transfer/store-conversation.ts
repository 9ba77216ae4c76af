import { encryptTitle, requireTitle } from '../conversation/title.js'
import { activeKeyColumns, insertActiveVersion } from '../conversation-key/activate-version.js'
import { changePolicy, effectivePolicy } from '../conversation-key/key-policy.js'
import { newDataKey } from '../conversation-key/new-data-key.js'
import { recordPolicy } from '../conversation-key/set-key-policy.js'
import { isUniqueViolation } from '../database/database.js'
import { ConversationEntity, DataKeyEntity } from '../database/entities.js'
import type { Services } from '../services.js'
import { type Batch, checked } from './import-batches.js'
import type { ImportPosition } from './import-position.js'
import { TransferError } from './transfer-error.js'

type StoreServices = Pick<Services, 'keySupply' | 'keyDefaultsId' | 'clock' | 'config' | 'metrics'>

/**
 * Stores a conversation with key version 1, without messages and without members.
 *
 * @throws TransferError CONFLICT where there is one with that id; LINE for a title or a key policy that a client could not set
 */
export async function storeConversation(
  services: StoreServices,
  position: ImportPosition,
  { id, line, record }: Extract<Batch, { kind: 'CONVERSATION' }>,
  actor: string
): Promise<void> {
  const { clock, config, keySupply, keyDefaultsId } = services
  const title = record.title ? checked(line.number, () => requireTitle('', record.title ?? '')) : null
  const keyPolicy = checked(line.number, () => changePolicy('keyPolicy', config.keyPolicy, {}, record.keyPolicy ?? {}))
  const policy = effectivePolicy(config.keyPolicy, keyPolicy)
  const now = clock.now()
  const createdAt = record.createdAt === undefined ? now : new Date(record.createdAt)
  const advanced = await keySupply
    .withKeyPair(async (em, takePair) => {
      const pair = await takePair()
      const data = newDataKey(pair.publicKey, services.metrics)
      await em.insert(ConversationEntity, {
        id,
        historyVisibility: record.historyVisibility,
        ...encryptTitle(title, id, 0, { dataKeyId: data.id, dataKey: data.dataKey }),
        lastSequence: 0,
        lastChange: 0,
        ...activeKeyColumns(1, policy, now),
        keyPolicy,
        keyDefaultsId,
        createdAt,
        lastActivityAt: createdAt,
        deletedAt: null
      })
      await insertActiveVersion(em, id, 1, pair, policy, { reason: 'CREATED', now, actor })
      if (Object.keys(keyPolicy).length > 0) await recordPolicy(em, id, policy, { now, actor })
      if (title !== null) {
        const counts = { messageCount: 0, earlierVersions: [] }
        const { wrappedKey } = data
        await em.insert(DataKeyEntity, {
          conversationId: id,
          id: data.id,
          keyVersion: 1,
          wrappedKey,
          createdAt: now,
          ...counts
        })
      }
      await em.execute('insert into imported_conversations (conversation_id, import_id) values (?, ?)', [
        id,
        position.import.id
      ])
      return await position.advance(em, [line])
    })
    .catch((error: unknown) => {
      if (!isUniqueViolation(error)) throw error
      throw new TransferError('CONFLICT', `There is a conversation ${id} already.`, line.number)
    })
  advanced()
}
