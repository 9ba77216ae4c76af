/**
 * Encoders for associated data (SP 800-38D, section 5.2.1.1): what is authenticated together with a
 * ciphertext, so that a ciphertext moved to another row, sender or conversation fails to open.
 *
 * Each encoding is a list of fields, every one preceded by its length as a 32-bit big-endian number;
 * the first names the purpose and its version. Key versions and anything of the master key are left
 * out on purpose: both change under a message that does not.
 */

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const FINGERPRINT_BYTES = 32

/** UUID in its text form: 36 characters (RFC 9562, section 4). */
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

const MESSAGE = Buffer.from('conclave/message/1', 'ascii')
const TITLE = Buffer.from('conclave/title/1', 'ascii')
const PRIVATE_KEY = Buffer.from('conclave/private-key/1', 'ascii')

export function messageAssociatedData(context: MessageContext): Buffer {
  return encodeFields([
    MESSAGE,
    repeatedUuidBytes(context.conversationId),
    uuidBytes(context.messageId),
    sender(context.senderId),
    repeatedUuidBytes(context.dataKeyId),
    uint32(context.revision)
  ])
}

export function titleAssociatedData(context: TitleContext): Buffer {
  return encodeFields([
    TITLE,
    uuidBytes(context.conversationId),
    uuidBytes(context.dataKeyId),
    uint32(context.revision)
  ])
}

export function privateKeyAssociatedData(context: PrivateKeyContext): Buffer {
  if (context.fingerprint.length !== FINGERPRINT_BYTES) throw new RangeError('a fingerprint has 32 bytes')
  return encodeFields([PRIVATE_KEY, uuidBytes(context.keyId), context.fingerprint])
}

/** Into one buffer, every byte of which is written: a page of messages makes fifty of these. */
function encodeFields(fields: Uint8Array[]): Buffer {
  let bytes = 0
  for (const { length } of fields) bytes += 4 + length
  const encoded = Buffer.allocUnsafe(bytes)
  let offset = 0
  for (const field of fields) {
    offset = encoded.writeUInt32BE(field.length, offset)
    encoded.set(field, offset)
    offset += field.length
  }
  return encoded
}

/** An absent sender and an empty one must not look alike. */
function sender(id: string | null): Buffer {
  if (id === null) return Buffer.of(0)
  if (!id.isWellFormed()) throw new RangeError('an id is well-formed Unicode')
  return Buffer.from(`\u0001${id}`, 'utf8')
}

function uint32(value: number): Buffer {
  if (!Number.isInteger(value)) throw new RangeError('a number to encode is an integer')
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function uuidBytes(uuid: Uuid): Buffer {
  if (!UUID.test(uuid)) throw new RangeError('a UUID has 36 characters')
  return Buffer.from(uuid.replaceAll('-', ''), 'hex')
}

const MAX_REPEATED = 1000
/** Of conversations and data keys: the messages of a page have them in common. */
const repeated = new Map<Uuid, Buffer>()

function repeatedUuidBytes(uuid: Uuid): Buffer {
  const known = repeated.get(uuid)
  if (known) return known
  if (repeated.size >= MAX_REPEATED) repeated.clear()
  const bytes = uuidBytes(uuid)
  repeated.set(uuid, bytes)
  return bytes
}
