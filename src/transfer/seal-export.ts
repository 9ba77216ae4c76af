import { type KeyObject, randomBytes } from 'node:crypto'
import { CompactEncrypt, type CompactJWEHeaderParameters } from 'jose'
import { type ContentKey, contentKeyFrom, withSecretBytes } from '../crypto/keys.js'
import { CHUNK_BYTES, type ChunkHeader, type ExportHead, type ExportSubject, FORMAT, VERSION } from './export-format.js'
import { LineTally } from './line-tally.js'
import { type ManifestSigner, signManifest } from './manifest.js'
import type { RecipientKey } from './recipient-key.js'
import type { ExportRecord } from './records.js'

export interface SealedExport {
  exportId: string
  subject: ExportSubject
  createdAt: Date
  /** As the manifest has it. */
  after: number
  recipient: RecipientKey
  signer: ManifestSigner
}

/** Told with each chunk: records that are in the file so far, and messages among them. */
export type ReportRecords = (records: number, messages: number) => void

/**
 * Writes an export: JSON Lines in chunks, each a JWE of its own under one content key, which the first line brings
 * to the recipient. See docs/format-export.md.
 *
 * @returns the lines of the file, each with its line feed: one chunk is in memory at a time
 */
export async function* sealExport(
  { exportId, subject, createdAt, after, recipient, signer }: SealedExport,
  records: AsyncIterable<ExportRecord>,
  report: ReportRecords = () => {}
): AsyncGenerator<string> {
  const key = contentKeyFrom(randomBytes(32))
  yield await sealHead(exportId, key, recipient)
  const tally = new LineTally()
  const chunks = new Chunks(exportId, key)
  for await (const record of records) {
    const line = `${JSON.stringify(record)}\n`
    tally.add(line, record)
    if (!chunks.add(line)) continue
    report(tally.lines, tally.messages)
    yield await chunks.seal(false)
  }
  const described = { format: FORMAT, version: VERSION, exportId, subject, createdAt: createdAt.toISOString() } as const
  const jws = await signManifest(signer, { ...described, after, recipient: recipient.thumbprint, ...tally.result() })
  chunks.add(`${JSON.stringify({ type: 'manifest', jws })}\n`)
  report(tally.lines, tally.messages)
  yield await chunks.seal(true)
}

async function sealHead(exportId: string, key: ContentKey, recipient: RecipientKey): Promise<string> {
  const jwk = { kty: 'oct' as const, k: withSecretBytes(key, (bytes) => bytes.toString('base64url')) }
  const head: ExportHead = { format: FORMAT, version: VERSION, exportId, key: jwk }
  const { algorithm: alg, thumbprint: kid } = recipient
  return await sealed(JSON.stringify(head), { alg, enc: 'A256GCM', kid, typ: FORMAT }, recipient.key)
}

/** Lines that wait until there are enough of them for a chunk. */
class Chunks {
  readonly #exportId: string
  readonly #key: ContentKey
  #lines: string[] = []
  #length = 0
  #seq = 0

  constructor(exportId: string, key: ContentKey) {
    this.#exportId = exportId
    this.#key = key
  }

  /** @returns whether the chunk is full */
  add(line: string): boolean {
    this.#lines.push(line)
    this.#length += line.length
    return this.#length >= CHUNK_BYTES
  }

  async seal(last: boolean): Promise<string> {
    const text = this.#lines.join('')
    this.#lines = []
    this.#length = 0
    const position: ChunkHeader = { export: this.#exportId, seq: ++this.#seq, last }
    return await sealed(text, { alg: 'dir', enc: 'A256GCM', ...position }, this.#key)
  }
}

/** The bytes of the plaintext are overwritten: the text itself cannot be. */
async function sealed(plaintext: string, header: CompactJWEHeaderParameters, key: KeyObject): Promise<string> {
  const bytes = Buffer.from(plaintext, 'utf8')
  try {
    return `${await new CompactEncrypt(bytes).setProtectedHeader(header).encrypt(key)}\n`
  } finally {
    bytes.fill(0)
  }
}
