import { type SendingKey, STALE_KEY } from '../conversation-key/sending-keys.js'
import { messageAssociatedData } from '../crypto/associated-data.js'
import { encryptContent } from '../crypto/content-encryption.js'
import { isUniqueViolation } from '../database/database.js'
import type { Services } from '../services.js'
import type { Message } from './message.js'
import { STORE_GROUP, STORE_ONE, type StoredRow } from './store-statements.js'

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

/** A message of which it is not known what became of it: its own statement failed, after that of others was committed. */
export class StoreFailed {
  constructor(readonly error: unknown) {}
}

type Stored = Message | NotStored | StoreFailed

type StoreServices = Pick<Services, 'database' | 'sendPace' | 'clock' | 'config'>

/**
 * Encrypts messages of one conversation, each by itself, and stores them in one statement and in their order.
 *
 * As many are stored as fit under the data key and the key above it. One that cannot be stored changes nothing for
 * the others.
 *
 * @param unsent no two by one sender with the same client message id
 * @returns for each in turn the stored message, or why there is none
 * @throws whatever has failed, where it concerns all of them
 */
export async function storeMessages(
  services: StoreServices,
  conversationId: string,
  unsent: readonly UnsentMessage[],
  key: SendingKey
): Promise<Stored[]> {
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
): Promise<Stored[]> {
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
    const first = await storeHalf(services, conversationId, sealed.slice(0, half), key)
    return [...first, ...(await storeHalf(services, conversationId, sealed.slice(half), key))]
  }
}

/** What fails in one half is none of the other's, which has a transaction of its own. */
async function storeHalf(
  services: StoreServices,
  conversationId: string,
  half: SealedMessage[],
  key: SendingKey
): Promise<Stored[]> {
  try {
    return await storeSealed(services, conversationId, half, key)
  } catch (error) {
    return half.map(() => new StoreFailed(error))
  }
}

async function run(
  { database, sendPace, config }: StoreServices,
  conversationId: string,
  sealed: SealedMessage[],
  { dataKeyId }: SendingKey,
  createdAt: Date
): Promise<StoredRow[]> {
  const common = [conversationId, dataKeyId, createdAt, config.dataKeyMaxMessages]
  const [only, ...more] = sealed
  return await sendPace.measure(() =>
    only && more.length === 0
      ? database.run<StoredRow>(STORE_ONE, [...common, ...valuesOf(only)])
      : database.run<StoredRow>(STORE_GROUP, [...common, ...valuesOfGroup(sealed)])
  )
}

function valuesOf({ id, senderId, clientMessageId, replyToId, envelope }: SealedMessage): unknown[] {
  return [id, senderId, clientMessageId, replyToId, envelope]
}

/** The envelopes in one: the driver would write an array of them out in hexadecimal digits. */
function valuesOfGroup(sealed: SealedMessage[]): unknown[] {
  return [
    sealed.map(({ id }) => id),
    sealed.map(({ senderId }) => senderId),
    sealed.map(({ clientMessageId }) => clientMessageId),
    sealed.map(({ replyToId }) => replyToId),
    Buffer.concat(sealed.map(({ envelope }) => envelope)),
    sealed.map(({ envelope }) => envelope.length)
  ]
}

function outcome(
  conversationId: string,
  { id, senderId, clientMessageId, envelope, replyToId }: SealedMessage,
  { dataKeyId, keyVersion }: SendingKey,
  createdAt: Date,
  row: StoredRow | undefined
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
    clientMessageId,
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
