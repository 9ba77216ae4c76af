/** What docs/format-export.md specifies, in constants and types. */

export const FORMAT = 'conclave-export'
export const VERSION = 1

/** Plaintext of a chunk, unless one line alone has more. */
export const CHUNK_BYTES = 65_536

/** A body of 16 MiB, the most that a deployment may allow, with each of its bytes written as `\u0000`, and what is around it. */
const MAX_RECORD_BYTES = 6 * 16 * 1024 * 1024 + 16_384
/** The longest line of a file: such a record in base64url behind a chunk that was nearly full. */
export const MAX_LINE_BYTES = Math.ceil(((MAX_RECORD_BYTES + CHUNK_BYTES) * 4) / 3) + 4096

/** Whose messages an export has: those of a conversation, or all that one user wrote. */
export type ExportSubject = { conversationId: string } | { userId: string }

/** Plaintext of the first line. */
export interface ExportHead {
  format: typeof FORMAT
  version: number
  exportId: string
  /** Encrypts the chunks: AES-256 as a JWK (RFC 7517, section 4). */
  key: { kty: 'oct'; k: string }
}

/** Members of a chunk's protected header, beside `alg` and `enc`. */
export interface ChunkHeader {
  /** Id of the export that it is a part of. */
  export: string
  /** 1, 2, 3 … */
  seq: number
  /** Whether the file ends with it. */
  last: boolean
}

export type RecordType = 'conversation' | 'user' | 'message' | 'member'
export type RecordCounts = Record<RecordType, number>

/** What the last line of the plaintext has, signed. */
export interface Manifest {
  format: typeof FORMAT
  version: number
  exportId: string
  subject: ExportSubject
  createdAt: string
  /** Messages of the conversation up to this sequence are left out; 0 for none of them. */
  after: number
  /** Thumbprint of the key that the export was made for. */
  recipient: string
  /** Lines before the manifest, and how many of each type. */
  lines: number
  counts: RecordCounts
  /** Messages among them without a body, because it could not be opened. */
  unreadable: number
  /** SHA-256 over those lines, each with its line feed, base64url. */
  sha256: string
}
