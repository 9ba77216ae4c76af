import type { KeyObject } from 'node:crypto'
import { type CompactDecryptResult, compactDecrypt, type JWEKeyManagementAlgorithm } from 'jose'
import { z } from 'zod'
import { isCanonicalCompact, textOf } from '../compact-form.js'
import { type ContentKey, contentKeyFrom } from '../crypto/keys.js'
import { FORMAT, type Manifest, type RecordType, VERSION } from './export-format.js'
import { type FileLine, fileLines } from './file-lines.js'
import { LineTally } from './line-tally.js'
import { requireSame, verifyManifest } from './manifest.js'
import type { RecipientKey } from './recipient-key.js'
import { TransferError } from './transfer-error.js'

/** A line of the plaintext. */
export interface OpenedLine {
  /** From 1. */
  number: number
  /** JSON, without a line feed. */
  text: string
  /** The same, parsed. */
  value: { type: RecordType } & Record<string, unknown>
}

export interface OpenedExport {
  manifest: Manifest
  /** Thumbprint of the key that has signed it. */
  signedBy: string
}

const TYPES = ['conversation', 'user', 'message', 'member']
/** What every version has: another one may have further members. */
const version = z.object({ format: z.literal(FORMAT), version: z.int() })
const head = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  exportId: z.string(),
  key: z.strictObject({ kty: z.literal('oct'), k: z.string().regex(/^[A-Za-z0-9_-]{43}$/) })
})

/**
 * Opens an export line by line. What it yields is that of the file, in its place; whether the file is whole, and who has
 * signed it, is known at the end: nothing may be relied on before.
 *
 * @returns the manifest, when all lines were read and are those that were signed
 * @throws TransferError: KEY for another's export; FORMAT and MANIFEST for one that was changed, cut off, or put together
 */
export async function* openExport(
  file: AsyncIterable<Buffer>,
  recipient: RecipientKey
): AsyncGenerator<OpenedLine, OpenedExport> {
  const lines = fileLines(file)
  const first = await lines.next()
  const { exportId, key } = await openHead(first.done ? null : first.value, recipient)
  const tally = new LineTally()
  let seq = 0
  for await (const line of lines) {
    const { text, last } = await openChunk(line, { exportId, key, seq: ++seq })
    const rows = text.split('\n')
    if (rows.pop() !== '') throw changed()
    const signed = last ? rows.pop() : undefined
    for (const row of rows) {
      const value = parseRow(row, tally.lines + 1)
      tally.add(`${row}\n`, value)
      yield { number: tally.lines, text: row, value }
    }
    if (!last) continue
    if (!(await lines.next()).done) throw new TransferError('FORMAT', 'Something follows the end of the export.')
    const opened = await verifyManifest(manifestOf(signed))
    requireSame({ exportId, recipient: recipient.thumbprint, ...tally.result() }, opened.manifest)
    return opened
  }
  throw new TransferError('FORMAT', 'The export ends in the middle: it was cut off.')
}

const changed = () => new TransferError('FORMAT', 'The export was changed, or put together from several.')

async function openHead(
  line: FileLine | null,
  recipient: RecipientKey
): Promise<{ exportId: string; key: ContentKey }> {
  const text = line?.bytes.toString('latin1') ?? ''
  const header = headerOf(text)
  if (header?.typ !== FORMAT) throw new TransferError('FORMAT', 'This is not an export of Conclave.')
  if (header.kid !== recipient.thumbprint) {
    throw new TransferError(
      'KEY',
      `The export was made for the key ${String(header.kid)}; this is ${recipient.thumbprint}.`
    )
  }
  let read: unknown
  try {
    read = JSON.parse((await decrypt(text, recipient.key, recipient.algorithm)).text)
  } catch {
    throw changed()
  }
  const { exportId, key } = headIn(read)
  return { exportId, key: contentKeyFrom(Buffer.from(key.k, 'base64url')) }
}

function headIn(value: unknown): z.infer<typeof head> {
  const of = version.safeParse(value).data?.version ?? VERSION
  if (of !== VERSION) {
    throw new TransferError('FORMAT', `The export has version ${of} of the format; this program reads ${VERSION}.`)
  }
  const parsed = head.safeParse(value)
  if (!parsed.success) throw changed()
  return parsed.data
}

interface Decrypted {
  header: CompactDecryptResult['protectedHeader']
  text: string
}

/** The bytes that the text is read from are overwritten: the text itself cannot be. */
async function decrypt(jwe: string, key: KeyObject, algorithm: JWEKeyManagementAlgorithm): Promise<Decrypted> {
  if (!isCanonicalCompact(jwe)) throw changed()
  const { plaintext, protectedHeader: header } = await compactDecrypt(jwe, key, {
    keyManagementAlgorithms: [algorithm],
    contentEncryptionAlgorithms: ['A256GCM'],
    // Nothing is compressed: what unfolds to many times its size is no export.
    maxDecompressedLength: 0
  })
  try {
    return { header, text: textOf(plaintext) }
  } finally {
    plaintext.fill(0)
  }
}

/** Of the first line, before anything is opened. */
function headerOf(jwe: string): Record<string, unknown> | null {
  try {
    return JSON.parse(textOf(Buffer.from(jwe.slice(0, jwe.indexOf('.')), 'base64url')))
  } catch {
    return null
  }
}

async function openChunk(
  line: FileLine,
  expected: { exportId: string; key: ContentKey; seq: number }
): Promise<{ text: string; last: boolean }> {
  let opened: Decrypted
  try {
    opened = await decrypt(line.bytes.toString('latin1'), expected.key, 'dir')
  } catch {
    throw line.ended
      ? changed()
      : new TransferError('FORMAT', 'The export ends in the middle of a line: it was cut off.')
  }
  const { export: exportId, seq, last } = opened.header
  // A chunk that was left out, moved or doubled opens: that it is in its place is to be looked at.
  if (exportId !== expected.exportId || seq !== expected.seq || typeof last !== 'boolean') throw changed()
  return { text: opened.text, last }
}

function parseRow(text: string, number: number): OpenedLine['value'] {
  try {
    const value = JSON.parse(text)
    if (TYPES.includes(value?.type)) return value
  } catch {
    // The words of the parser have pieces of the text in them.
  }
  throw new TransferError('LINE', 'The line is not a record of this format.', number)
}

function manifestOf(text: string | undefined): string {
  try {
    const { type, jws } = JSON.parse(text ?? '')
    if (type === 'manifest' && typeof jws === 'string') return jws
  } catch {
    // Said below.
  }
  throw new TransferError('MANIFEST', 'The export has no manifest at its end.')
}
