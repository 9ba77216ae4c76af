import { generateKeyPairSync } from 'node:crypto'
import { exportJWK } from 'jose'
import { RECORDS } from './exported-records.js'
import {
  CHUNK,
  CRITICAL,
  headOf,
  illFormed,
  inOne,
  manifestRow,
  refused,
  rowOf,
  sealedBy,
  text,
  threeChunks,
  type Written
} from './forged-exports.js'
import type { ExportVector } from './vector-files.js'

/** What libraries take, unless they are told or looked after: other spellings, other algorithms, members of other kinds. */
export async function misspeltFiles(written: Written): Promise<ExportVector[]> {
  const cases = [...(await heads(written)), ...(await chunks(written)), ...(await manifests(written))]
  return cases.map(([name, file]) => refused(name, written.recipient, file))
}

type Files = [name: string, file: string[]][]

async function heads(written: Written): Promise<Files> {
  const [, ...rest] = await threeChunks(written)
  const head = async (content: object, header?: object) => [await headOf(written, content, header), ...rest]
  return [
    ['head: the name of another key, though this one opens it', await head({}, { kid: 'A'.repeat(43) })],
    ['head: without a key that wraps', await head({}, { alg: 'ECDH-ES' })],
    ['head: a key that wraps of 128 bits', await head({}, { alg: 'ECDH-ES+A128KW' })],
    ['head: A256CBC-HS512', await head({}, { enc: 'A256CBC-HS512' })],
    ['head: a critical member that nobody knows', await head({}, CRITICAL)],
    ['head: version 2, with other members', await head({ version: 2, exportId: undefined, suite: 'new' })],
    ['head: no version', await head({ version: undefined })],
    ['head: a version that is a text', await head({ version: '1' })],
    ['head: a member that version 1 has not', await head({ comment: 'none' })]
  ]
}

async function chunks(written: Written): Promise<Files> {
  const { contentKey, headLine, head, rows, manifest } = written
  const [, one = '', two = '', three = ''] = await threeChunks(written)
  const all = [...rows, await manifestRow(manifest)]
  const spelt = (line: string) => [headLine, line, two, three]
  const unended = { ...CHUNK, export: head.exportId, seq: 1, last: false }
  const cut = text(rows.slice(0, 3)).slice(0, -1)
  return [
    ['chunk: base64 with padding', spelt(`${one.trim()}==\n`)],
    ['chunk: base64 whose last bits are not zero', spelt(withLastBitSet(one))],
    ['chunk: base64 in the other alphabet', spelt(inOtherAlphabet(one))],
    ['chunk: a carriage return before its line feed', spelt(`${one.trim()}\r\n`)],
    ['chunk: a blank line before it', spelt(`\n${one}`)],
    ['chunk: A128CBC-HS256, whose key is as long', await inOne(written, all, { enc: 'A128CBC-HS256' })],
    ['chunk: a critical member that nobody knows', await inOne(written, all, CRITICAL)],
    ['chunk: its place is a text', await inOne(written, all, { seq: '1' })],
    ['chunk: no word of whether it is the last', await inOne(written, all, { last: undefined })],
    ['chunk: it ends within a line', spelt(await sealedBy(contentKey, cut, unended))],
    ['chunk: bytes that are not UTF-8', await illFormed(written, RECORDS)]
  ]
}

async function manifests(written: Written): Promise<Files> {
  const { rows, manifest } = written
  const own = await manifestRow(manifest)
  const jws = JSON.parse(own).jws as string
  const [header = '', , signature = ''] = jws.split('.')
  const stranger = await exportJWK(generateKeyPairSync('ed25519').publicKey)
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const other = Buffer.from(JSON.stringify({ ...manifest, after: 1 })).toString('base64url')
  const subject = { conversationId: 'x', userId: 'alice' }
  const cases: [string, string][] = [
    ['signed with ES256', await manifestRow(manifest, { alg: 'ES256' }, curve)],
    ['signed by another key than the one in its header', await manifestRow(manifest, { jwk: stranger })],
    ['no key in its header', await manifestRow(manifest, { jwk: undefined })],
    ['a critical member that nobody knows', await manifestRow(manifest, CRITICAL)],
    ['its payload changed', rowOf([header, other, signature].join('.'))],
    ['base64 with padding', rowOf(`${jws}==`)],
    ['no subject', await manifestRow({ ...manifest, subject: undefined })],
    ['a subject of both kinds', await manifestRow({ ...manifest, subject })],
    ['counts of a type that there is not', await manifestRow({ ...manifest, counts: { ...manifest.counts, key: 0 } })]
  ]
  return await Promise.all(
    cases.map(
      async ([name, row]): Promise<Files[number]> => [`manifest: ${name}`, await inOne(written, [...rows, row])]
    )
  )
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Of the 22 characters of a tag the last one has four bits that stand for nothing. */
function withLastBitSet(line: string): string {
  const spelt = line.trim()
  return `${spelt.slice(0, -1)}${DIGITS[DIGITS.indexOf(spelt.at(-1) ?? '') + 1]}\n`
}

function inOtherAlphabet(line: string): string {
  const parts = line.split('.')
  const ciphertext = parts[3] ?? ''
  const other = ciphertext.replaceAll('-', '+').replaceAll('_', '/')
  if (other === ciphertext) throw new Error('a ciphertext of some hundred bytes has such a character')
  return parts.with(3, other).join('.')
}
