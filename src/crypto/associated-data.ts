/**
 * Encoders for associated data (SP 800-38D, section 5.2.1.1): what is authenticated together with a
 * ciphertext, so that a ciphertext moved to another row, sender or conversation fails to open.
 *
 * Each encoding is a list of fields, every one preceded by its length as a 32-bit big-endian number;
 * the first names the purpose and its version. Key versions and anything of the master key are left
 * out on purpose: both change under a message that does not.
 */

/** UUID in its 36-character text form. */
export type Uuid = string

export interface MessageContext {
  conversationId: Uuid
  messageId: Uuid
  /** `sub` of the sender, or null for a system message. */
  senderId: string | null
  dataKeyId: Uuid
  /** 0 as sent, one more with every edit. */
  revision: number
}

export interface TitleContext {
  conversationId: Uuid
  dataKeyId: Uuid
  /** 0 as created, one more with every renaming. */
  revision: number
}

export interface PrivateKeyContext {
  keyId: Uuid
  /** SHA-256 of the DER SubjectPublicKeyInfo, 32 bytes. */
  fingerprint: Uint8Array
}

export function messageAssociatedData(context: MessageContext): Buffer {
  return encodeFields('conclave/message/1', [
    uuidBytes(context.conversationId),
    uuidBytes(context.messageId),
    // An absent sender and an empty one must not look alike.
    context.senderId === null
      ? Uint8Array.of(0)
      : Buffer.concat([Uint8Array.of(1), Buffer.from(context.senderId, 'utf8')]),
    uuidBytes(context.dataKeyId),
    uint32(context.revision)
  ])
}

export function titleAssociatedData(context: TitleContext): Buffer {
  return encodeFields('conclave/title/1', [
    uuidBytes(context.conversationId),
    uuidBytes(context.dataKeyId),
    uint32(context.revision)
  ])
}

export function privateKeyAssociatedData(context: PrivateKeyContext): Buffer {
  return encodeFields('conclave/private-key/1', [uuidBytes(context.keyId), context.fingerprint])
}

function encodeFields(purpose: string, fields: Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from(purpose, 'ascii'), ...fields].flatMap((field) => [uint32(field.length), field]))
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function uuidBytes(uuid: Uuid): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex')
  if (bytes.length !== 16) throw new RangeError('a UUID has 16 bytes')
  return bytes
}
