import { generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK } from 'jose'
import type { ExportRecord } from '../../src/transfer/records.js'
import { LATER, OF_ALICE, RECORDS } from './exported-records.js'
import {
  headOf,
  hmacRow,
  inOne,
  manifestRow,
  type Pair,
  partOf,
  pemOf,
  refused,
  SIGNER,
  sealed,
  spoilt,
  take,
  threeChunks,
  unsignedRow,
  type Written,
  withPart
} from './forged-exports.js'
import { misspeltFiles } from './misspelt-exports.js'
import type { ExportVector } from './vector-files.js'

const ALICE = { subject: { userId: 'alice' } }
const OTHER = '019a2f4e-ffff-7fff-bfff-ffffffffffff'

export async function exportVectors(): Promise<ExportVector[]> {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const written = await take(rsa, await sealed(rsa, RECORDS))
  return [
    ...(await accepted(written)),
    ...(await changedFiles(written)),
    ...(await forgedFiles(written)),
    ...(await misspeltFiles(await take(curve, await sealed(curve, RECORDS))))
  ]
}

async function accepted(written: Written): Promise<ExportVector[]> {
  const kinds: [string, Pair][] = [
    ['RSA with 3072 bits', generateKeyPairSync('rsa', { modulusLength: 3072 })],
    ...['P-256', 'P-384', 'P-521'].map((curve): [string, Pair] => [
      curve,
      generateKeyPairSync('ec', { namedCurve: curve })
    ]),
    ['X25519', generateKeyPairSync('x25519')]
  ]
  const signedBy = await calculateJwkThumbprint(await exportJWK(SIGNER.publicKey))
  const valid = async (name: string, pair: Pair, file: string[], records: ExportRecord[]): Promise<ExportVector> => {
    const { contentKey, jws } = await take(pair, file)
    const opened = { contentKey: Buffer.from(contentKey).toString('hex'), records, manifest: jws, signedBy }
    return { name, result: 'valid', privateKey: pemOf(pair), file, ...opened }
  }
  const { recipient } = written
  const curve25519 = generateKeyPairSync('x25519')
  const chunks = await threeChunks(written)
  return await Promise.all([
    ...kinds.map(async ([kind, pair]) => valid(`for ${kind}`, pair, await sealed(pair, RECORDS), RECORDS)),
    valid('in three chunks', recipient, chunks, RECORDS),
    valid('without a line feed at its end', recipient, chunks.with(-1, chunks.at(-1)?.trimEnd() ?? ''), RECORDS),
    valid('of what one user wrote', recipient, await sealed(recipient, OF_ALICE, ALICE), OF_ALICE),
    valid('of no record', recipient, await sealed(recipient, [], { subject: { userId: 'nobody' } }), []),
    valid('of what one user wrote, for X25519', curve25519, await sealed(curve25519, OF_ALICE, ALICE), OF_ALICE),
    valid('of what an owner sees who came later', curve25519, await sealed(curve25519, LATER, { after: 3 }), LATER)
  ])
}

/** What somebody can make who has not the key. */
async function changedFiles(written: Written): Promise<ExportVector[]> {
  const [head = '', one = '', two = '', three = ''] = await threeChunks(written)
  const { recipient } = written
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const other = await threeChunks(await take(recipient, await sealed(recipient, RECORDS, { exportId: OTHER })))
  const cases: [string, string[]][] = [
    ['empty', []],
    ['no JWE at all', ['{"type":"conversation"}\n']],
    ['the head alone', [head]],
    ['without its last chunk', [head, one, two]],
    ['cut off within its last line', [head, one, two, three.slice(0, -40)]],
    ['the first chunk left out', [head, two, three]],
    ['a chunk in the middle left out', [head, one, three]],
    ['two chunks exchanged', [head, two, one, three]],
    ['a chunk doubled', [head, one, one, two, three]],
    ['a chunk of another export for the same key', [head, one, other[2] ?? '', three]],
    ['the head of another export for the same key', [other[0] ?? '', one, two, three]],
    ['something behind its end', [head, one, two, three, three]],
    ...[0, 1, 2, 3, 4].map((part): [string, string[]] => [
      `head: ${PARTS[part]} changed`,
      [spoilt(head, part), one, two, three]
    ]),
    ...[0, 2, 3, 4].map((part): [string, string[]] => [
      `chunk: ${PARTS[part]} changed`,
      [head, spoilt(one, part), two, three]
    ]),
    ['chunk: an encrypted key where there is none', [head, one.replace('..', '.AAAA.'), two, three]],
    ['chunk: its tag cut to 12 bytes', [head, withPart(one, 4, partOf(one, 4).subarray(0, 12)), two, three]]
  ]
  return [
    refused('made for another key', stranger, [head, one, two, three]),
    ...cases.map(([name, file]) => refused(name, recipient, file))
  ]
}

const PARTS = ['protected header', 'encrypted key', 'initialization vector', 'ciphertext', 'authentication tag']

/** What the recipient can make, who has the content key: told by the place in the file, or by the signature. */
async function forgedFiles(written: Written): Promise<ExportVector[]> {
  const { recipient, rows, manifest } = written
  const [, ...chunks] = await threeChunks(written)
  const signed = async (change: object, header?: object) =>
    inOne(written, [...rows, await manifestRow({ ...manifest, ...change }, header)])
  const own = await manifestRow(manifest)
  const hashed = { ...manifest.counts, message: manifest.counts.message + 1 }
  const cases: [string, string[]][] = [
    ['head: another typ', [await headOf(written, {}, { typ: 'JOSE' }), ...chunks]],
    ['head: RSA-OAEP with SHA-1', [await headOf(written, {}, { alg: 'RSA-OAEP' }), ...chunks]],
    ['head: A128GCM', [await headOf(written, {}, { enc: 'A128GCM' }), ...chunks]],
    ['head: compressed', [await headOf(written, {}, { zip: 'DEF' }), ...chunks]],
    ['head: version 2', [await headOf(written, { version: 2 }), ...chunks]],
    ['head: another format', [await headOf(written, { format: 'conclave' }), ...chunks]],
    ['head: a content key of 16 bytes', [await headOf(written, { key: { kty: 'oct', k: 'A'.repeat(22) } }), ...chunks]],
    ['head: no content key', [await headOf(written, { key: undefined }), ...chunks]],
    ['chunk: A256GCMKW', await inOne(written, [...rows, own], { alg: 'A256GCMKW' })],
    ['chunk: compressed', await inOne(written, [...rows, own], { zip: 'DEF' })],
    ['chunk: of another export', await inOne(written, [...rows, own], { export: OTHER })],
    ['chunk: the first is 0', await inOne(written, [...rows, own], { seq: 0 })],
    ['chunk: last is no boolean', await inOne(written, [...rows, own], { last: 1 })],
    ['chunk: none is the last', await inOne(written, [...rows, own], { last: false })],
    ['a record of an unknown type', await inOne(written, [...rows, '{"type":"key"}', own])],
    ['a line that is no JSON', await inOne(written, [...rows, 'Hungry?', own])],
    ['no manifest', await inOne(written, rows)],
    ['a record changed', await inOne(written, [...rows.map((row) => row.replace('Hungry?', 'Thirsty?')), own])],
    ['a record left out', await inOne(written, [...rows.slice(1), own])],
    ['two records exchanged', await inOne(written, [...rows.toReversed(), own])],
    ['manifest: its signature changed', await inOne(written, [...rows, own.replace(/.{4}"}$/, 'AAAA"}')])],
    ['manifest: signed with HMAC', await inOne(written, [...rows, await hmacRow(manifest)])],
    ['manifest: not signed', await inOne(written, [...rows, unsignedRow(manifest)])],
    ['manifest: another export', await signed({ exportId: OTHER })],
    ['manifest: another recipient', await signed({ recipient: 'A'.repeat(43) })],
    ['manifest: another number of lines', await signed({ lines: manifest.lines + 1 })],
    ['manifest: other counts', await signed({ counts: hashed })],
    ['manifest: fewer that could not be opened', await signed({ unreadable: 0 })],
    ['manifest: another hash', await signed({ sha256: 'A'.repeat(43) })],
    ['manifest: version 2', await signed({ version: 2 })]
  ]
  return cases.map(([name, file]) => refused(name, recipient, file))
}
