import { NONCE_BYTES, TAG_BYTES } from '../crypto/content-encryption.js'
import { HEADER_BYTES, suiteName } from '../crypto/envelope.js'
import type { KeyState } from '../database/entities.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { findMessages, type MessageKey } from './find-messages.js'

/** An envelope, cut into what encryptContent joined. */
export interface EnvelopeParts {
  format: Buffer
  suite: Buffer
  suiteName: string
  nonce: Buffer
  ciphertext: Buffer
  tag: Buffer
}

/** What the database holds of a message: nothing of it is opened. */
export interface StoredMessage {
  /** Null once the message is deleted. */
  envelope: EnvelopeParts | null
  revision: number
  dataKeyId: string
  /** Envelope of the data key; null once its key version is destroyed. */
  wrappedDataKey: Buffer | null
  keyVersion: number
  keyState: KeyState
}

const WRAPPED_DATA_KEY = {
  text: 'select wrapped_key as "wrappedKey" from data_keys where conversation_id = $1 and id = $2'
}

/** @returns null when the viewer may not see the message, whether or not it exists */
export async function findStoredMessage(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  key: MessageKey
): Promise<StoredMessage | null> {
  const [message] = await findMessages({ database }, viewer, [key])
  if (!message) return null
  const { conversationId, dataKeyId, envelope, revision, keyVersion, keyState } = message
  const [dataKey] = await database.run<{ wrappedKey: Buffer | null }>(WRAPPED_DATA_KEY, [conversationId, dataKeyId])
  return {
    envelope: envelope && partsOf(envelope),
    revision,
    dataKeyId,
    wrappedDataKey: dataKey?.wrappedKey ?? null,
    keyVersion,
    keyState
  }
}

function partsOf(envelope: Buffer): EnvelopeParts {
  const ciphertextAt = HEADER_BYTES + NONCE_BYTES
  return {
    format: envelope.subarray(0, 1),
    suite: envelope.subarray(1, HEADER_BYTES),
    suiteName: suiteName(envelope),
    nonce: envelope.subarray(HEADER_BYTES, ciphertextAt),
    ciphertext: envelope.subarray(ciphertextAt, -TAG_BYTES),
    tag: envelope.subarray(-TAG_BYTES)
  }
}
