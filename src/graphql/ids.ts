import { BadUserInput } from '../errors.js'
import type { MessageKey } from '../message/find-messages.js'

/**
 * Public ids. A conversation's is its UUID, a user's the `sub` of the token. A message's holds the
 * conversation's UUID and its own, so that no look-up has to search all conversations.
 */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const MESSAGE_ID_BYTES = 32

export function isConversationId(id: string): boolean {
  return UUID.test(id)
}

/** @throws BadUserInput naming `field` */
export function requireConversationId(field: string, id: string): string {
  if (!isConversationId(id)) throw new BadUserInput(field, 'This is not the id of a conversation.')
  return id
}

export function encodeMessageId({ conversationId, messageId }: MessageKey): string {
  return Buffer.from((conversationId + messageId).replaceAll('-', ''), 'hex').toString('base64url')
}

/** @throws BadUserInput naming `field` */
export function requireOperationId(field: string, id: string): string {
  if (!UUID.test(id)) throw new BadUserInput(field, 'This is not the id of an operation on keys.')
  return id
}

/** @returns null for a text that is not the id of a message */
export function decodeMessageId(id: string): MessageKey | null {
  const bytes = Buffer.from(id, 'base64url')
  // Compared with its own encoding: Buffer.from skips what is not base64url.
  if (bytes.length !== MESSAGE_ID_BYTES || bytes.toString('base64url') !== id) return null
  return { conversationId: uuidText(bytes.subarray(0, 16)), messageId: uuidText(bytes.subarray(16)) }
}

/** @throws BadUserInput naming `field` */
export function requireMessageId(field: string, id: string): MessageKey {
  const key = decodeMessageId(id)
  if (!key) throw new BadUserInput(field, 'This is not the id of a message.')
  return key
}

function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
