import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import {
  CompactEncrypt,
  type CompactJWEHeaderParameters,
  CompactSign,
  calculateJwkThumbprint,
  compactDecrypt,
  exportJWK
} from 'jose'
import type { ExportHead, ExportSubject, Manifest } from '../../src/transfer/export-format.js'
import type { ManifestSigner } from '../../src/transfer/manifest.js'
import { type RecipientKey, readRecipientKey } from '../../src/transfer/recipient-key.js'
import type { ExportRecord } from '../../src/transfer/records.js'
import { sealExport } from '../../src/transfer/seal-export.js'
import { at, CONVERSATION } from './exported-records.js'
import type { ExportVector } from './vector-files.js'

/** Exports as the program writes them, and as somebody can write them who has their key. */

/** Of the header of every chunk. */
export const CHUNK = { alg: 'dir', enc: 'A256GCM' }
/** A member that nobody knows, and that whoever reads must (RFC 7516, section 4.1.13). */
export const CRITICAL = { crit: ['urn:example:critical'], 'urn:example:critical': true }
/** By whoever writes it. */
const UNDERSTOOD = { crit: { 'urn:example:critical': true } }
const EXPORT = '019a2f4e-9d32-7e5f-a071-2c3d4e5f6071'

/** A pair that exports are made for, or signed with. */
export interface Pair {
  publicKey: KeyObject
  privateKey: KeyObject
}

/** A file, and what whoever has its key can make of it. */
export interface Written {
  recipient: Pair
  head: ExportHead
  contentKey: Uint8Array
  /** The head's line as it stands, and the records behind it. */
  headLine: string
  rows: string[]
  manifest: Manifest
  /** Of which that is the payload. */
  jws: string
}

export const SIGNER: ManifestSigner = generateKeyPairSync('ed25519')

export async function sealed(
  { publicKey }: Pair,
  records: ExportRecord[],
  named: { subject?: ExportSubject; exportId?: string; after?: number } = {}
): Promise<string[]> {
  const recipient = await recipientKeyOf(publicKey)
  const of = { exportId: EXPORT, subject: { conversationId: CONVERSATION }, after: 0, ...named }
  const described = { ...of, createdAt: new Date(at(30)), recipient, signer: SIGNER }
  const lines: string[] = []
  for await (const line of sealExport(described, each(records))) lines.push(line)
  return lines
}

async function recipientKeyOf(publicKey: KeyObject): Promise<RecipientKey> {
  return await readRecipientKey(publicKey.export({ type: 'spki', format: 'pem' }).toString())
}

async function* each(records: ExportRecord[]): AsyncGenerator<ExportRecord> {
  yield* records
}

export async function take(recipient: Pair, [headLine = '', ...chunks]: string[]): Promise<Written> {
  const open = async (line: string, key: KeyObject | Uint8Array) =>
    Buffer.from((await compactDecrypt(line.trim(), key)).plaintext).toString('utf8')
  const head = JSON.parse(await open(headLine, recipient.privateKey)) as ExportHead
  const contentKey = Uint8Array.from(Buffer.from(head.key.k, 'base64url'))
  const opened = await Promise.all(chunks.map((line) => open(line, contentKey)))
  const rows = opened.join('').trimEnd().split('\n')
  const { jws } = JSON.parse(rows.pop() ?? '') as { jws: string }
  const manifest = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8')) as Manifest
  return { recipient, head, contentKey, headLine, rows, manifest, jws }
}

/** Shorter ones than the program makes: a chunk may have any length. */
export async function threeChunks({ headLine, head, contentKey, rows, manifest }: Written): Promise<string[]> {
  const parts = [rows.slice(0, 3), rows.slice(3, 6), [...rows.slice(6), await manifestRow(manifest)]]
  const chunks = parts.map((lines, index) => {
    const place = { export: head.exportId, seq: index + 1, last: index === parts.length - 1 }
    return sealedBy(contentKey, text(lines), { ...CHUNK, ...place })
  })
  return [headLine, ...(await Promise.all(chunks))]
}

/** Another head for the same recipient. */
export async function headOf({ recipient, head }: Written, content: object, header: object = {}): Promise<string> {
  const { algorithm: alg, thumbprint: kid, key } = await recipientKeyOf(recipient.publicKey)
  const named = { alg, enc: 'A256GCM', kid, typ: 'conclave-export', ...header }
  return await sealedBy(key, JSON.stringify({ ...head, ...content }), named)
}

/** A file with all of these lines in one chunk. */
export async function inOne(
  { headLine, head, contentKey }: Written,
  lines: string[],
  header: object = {}
): Promise<string[]> {
  const chunk = { ...CHUNK, export: head.exportId, seq: 1, last: true, ...header }
  return [headLine, await sealedBy(contentKey, text(lines), chunk)]
}

export async function sealedBy(
  key: KeyObject | Uint8Array,
  plaintext: string | Buffer,
  header: object
): Promise<string> {
  const encrypt = new CompactEncrypt(Buffer.from(plaintext)).setProtectedHeader(header as CompactJWEHeaderParameters)
  return `${await encrypt.encrypt(key, UNDERSTOOD)}\n`
}

/** @param key that signs, and is in the header unless that says otherwise */
export async function manifestRow(
  manifest: object,
  header: object = {},
  { publicKey, privateKey }: Pair = SIGNER
): Promise<string> {
  const jwk = await exportJWK(publicKey)
  const named = { alg: 'EdDSA', kid: await calculateJwkThumbprint(jwk), jwk, ...header }
  const sign = new CompactSign(Buffer.from(JSON.stringify(manifest))).setProtectedHeader(named)
  return rowOf(await sign.sign(privateKey, UNDERSTOOD))
}

/** Under a key that is in its own header, as public keys are. */
export async function hmacRow(manifest: Manifest): Promise<string> {
  const secret = Buffer.alloc(32, 'k')
  const jwk = { kty: 'oct', k: secret.toString('base64url') }
  const sign = new CompactSign(Buffer.from(JSON.stringify(manifest))).setProtectedHeader({ alg: 'HS256', jwk } as never)
  return rowOf(await sign.sign(secret))
}

export function unsignedRow(manifest: Manifest): string {
  const encoded = [{ alg: 'none' }, manifest].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  return rowOf(`${encoded.join('.')}.`)
}

export function rowOf(jws: string): string {
  return JSON.stringify({ type: 'manifest', jws })
}

export function text(lines: string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

export function partOf(line: string, part: number): Buffer {
  return Buffer.from(line.trim().split('.')[part] ?? '', 'base64url')
}

export function withPart(line: string, part: number, bytes: Buffer): string {
  return `${line.trim().split('.').with(part, bytes.toString('base64url')).join('.')}\n`
}

export function spoilt(line: string, part: number): string {
  const bytes = partOf(line, part)
  const place = bytes.length >> 1
  return withPart(line, part, Buffer.from(bytes).fill((bytes[place] ?? 0) ^ 1, place, place + 1))
}

export function pemOf({ privateKey }: Pair): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** A file with bytes that are not UTF-8, whose manifest fits to what many decoders put into their place. */
export async function illFormed({ recipient }: Written, records: ExportRecord[]): Promise<string[]> {
  const replaced = records.map((record) => JSON.parse(JSON.stringify(record).replace('Hungry?', 'Hungry\ufffd')))
  const { headLine, contentKey, head, rows, manifest } = await take(recipient, await sealed(recipient, replaced))
  const plaintext = Buffer.from(text([...rows, await manifestRow(manifest)]))
  const place = plaintext.indexOf('\ufffd')
  const cut = Buffer.concat([plaintext.subarray(0, place), Buffer.from([0xff]), plaintext.subarray(place + 3)])
  return [headLine, await sealedBy(contentKey, cut, { ...CHUNK, export: head.exportId, seq: 1, last: true })]
}

/** A case that no reader may open. */
export function refused(name: string, pair: Pair, file: string[]): ExportVector {
  return {
    name,
    result: 'invalid',
    privateKey: pemOf(pair),
    file,
    contentKey: null,
    records: null,
    manifest: null,
    signedBy: null
  }
}
