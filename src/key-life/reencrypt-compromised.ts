import type { EntityManager } from '@mikro-orm/postgresql'
import { messageAssociatedData } from '../crypto/associated-data.js'
import { decryptContent, encryptContent } from '../crypto/content-encryption.js'
import { DecryptionError } from '../crypto/errors.js'
import type { DataKey } from '../crypto/keys.js'
import type { ConversationKey } from '../database/entities.js'
import { lockConversation } from '../membership/roles.js'
import { MESSAGE_COLUMNS, MESSAGE_KEYS, type Message } from '../message/message.js'
import type { Services } from '../services.js'
import { addDataKey } from './add-data-key.js'
import { OPENED_BY_VERSION } from './count-compromised.js'
import { destroyNow, putOnTheWay } from './destroy-key.js'
import type { KeyOperation } from './key-operations.js'
import { moveTitle } from './move-title.js'
import { recordStep } from './reencrypt-data-keys.js'
import type { Step } from './run-key-operation.js'

/** Messages of one step: a new data key is made for each, and the conversation is locked for as long as it takes. */
const BATCH = 250

/**
 * One step away from a compromised version: decrypts some messages and encrypts them again under a new data key
 * of the active version. The last step moves the title and destroys the version. A message is readable at every
 * moment: its row changes from one ciphertext to the other at once, and keeps its place among the changes.
 *
 * Messages that cannot be opened are left as they are and counted; the version is then kept, and the operation
 * fails in the end: destroying it would take them away for good, which is not for a job to decide.
 */
export async function reencryptCompromised(
  services: Services,
  em: EntityManager,
  operation: KeyOperation,
  key: ConversationKey
): Promise<Step> {
  const target = { conversationId: key.conversationId, version: key.version }
  const conversation = await lockConversation(em, target.conversationId)
  const batch = Math.min(BATCH, services.config.dataKeyMaxMessages)
  const messages = await nextMessages(em, target, operation.position, batch)
  const opened = await openMessages(services, messages)
  if (opened.length > 0) {
    try {
      await storeUnderNewDataKey(services, em, target.conversationId, opened)
    } finally {
      for (const { body } of opened) body.fill(0)
    }
    await recordStep(services, em, operation, `messages=${opened.length} to=${conversation.activeKeyVersion}`)
  }
  const failed = messages.length - opened.length
  const last = messages.at(-1)
  const position = last ? `${last.dataKeyId} ${last.sequence}` : operation.position
  const step = { done: opened.length, failed, position }
  if (messages.length === batch) return step
  if (operation.failed + failed > 0) {
    return {
      ...step,
      outcome: 'FAILED',
      error:
        'Some messages could not be opened. The version is kept: re-encrypt it again once they are restored, or schedule its destruction to give them up.'
    }
  }
  await moveTitle(services, em, conversation, target.version)
  await destroy(services, em, key, operation.actor)
  return { ...step, outcome: 'SUCCEEDED' }
}

interface OpenedBody {
  message: Message
  body: Buffer
}

/** By data key and not by sequence: what is left of a version is found without a look at the rest of the conversation. */
async function nextMessages(
  em: EntityManager,
  { conversationId, version }: { conversationId: string; version: number },
  after: string | null,
  limit: number
): Promise<Message[]> {
  const [dataKeyId = '00000000-0000-0000-0000-000000000000', sequence = '0'] = after?.split(' ') ?? []
  return await em.execute<Message[]>(
    `select ${MESSAGE_COLUMNS}
       from messages x ${MESSAGE_KEYS}
      where x.conversation_id = ? and x.envelope is not null
        and x.data_key_id in (select id from data_keys where conversation_id = ? and ${OPENED_BY_VERSION})
        and (x.data_key_id, x.sequence) > (?::uuid, ?::integer)
      order by x.data_key_id, x.sequence limit ?`,
    [conversationId, conversationId, version, version, dataKeyId, Number(sequence), limit]
  )
}

async function openMessages(
  { keyring, log }: Pick<Services, 'keyring' | 'log'>,
  messages: Message[]
): Promise<OpenedBody[]> {
  const [first] = messages
  if (!first) return []
  const keys = await keyring.openForWork(
    first.conversationId,
    messages.map(({ dataKeyId }) => dataKeyId)
  )
  return messages.flatMap((message) => {
    const body = openBody(message, keys.get(message.dataKeyId))
    if (body) return [{ message, body }]
    const { conversationId, id, sequence, dataKeyId } = message
    log.error({ conversationId, messageId: id, sequence, dataKeyId }, 'message cannot be re-encrypted')
    return []
  })
}

function openBody(message: Message, dataKey: DataKey | undefined): Buffer | null {
  if (!dataKey || !message.envelope) return null
  try {
    return decryptContent(dataKey, message.envelope, messageAssociatedData({ ...message, messageId: message.id }))
  } catch (error) {
    if (error instanceof DecryptionError) return null
    throw error
  }
}

async function storeUnderNewDataKey(
  services: Pick<Services, 'clock' | 'metrics'>,
  em: EntityManager,
  conversationId: string,
  opened: OpenedBody[]
): Promise<void> {
  const { dataKeyId, dataKey } = await addDataKey(services, em, conversationId)
  for (const { message, body } of opened) {
    const context = { ...message, messageId: message.id, dataKeyId }
    const envelope = encryptContent(dataKey, body, messageAssociatedData(context))
    await em.execute('update messages set envelope = ?, data_key_id = ? where conversation_id = ? and sequence = ?', [
      envelope,
      dataKeyId,
      conversationId,
      message.sequence
    ])
  }
}

async function destroy(
  { clock }: Pick<Services, 'clock'>,
  em: EntityManager,
  key: ConversationKey,
  actor: string
): Promise<void> {
  const now = clock.now()
  const end = { now, actor, reason: 'COMPROMISED' as const }
  const pending = await putOnTheWay(em, key, { ...end, destroysAt: now })
  await destroyNow(em, pending, end)
}
