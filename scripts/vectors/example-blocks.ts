import { messageAssociatedData, titleAssociatedData } from '../../src/crypto/associated-data.js'
import { deriveKey } from '../../src/crypto/key-derivation.js'
import { masterSecretFrom } from '../../src/crypto/keys.js'
import { Bytes, type Field, layOut, lengthPrefixed, numbered, text } from './laid-out.js'
import {
  type AssociatedDataVector,
  bytesOf,
  type CursorVector,
  type ExportSigningKeyVector,
  type ExportVector,
  type FingerprintVector,
  type Hex,
  type ImportIdVector,
  type KeyEventsVector,
  type KmsPrivateKeyVector,
  type LocalPrivateKeyVector,
  type MessageIdVector,
  type MessageVector,
  type TitleVector,
  type VaultPrivateKeyVector,
  type VectorFileName,
  type VectorFiles,
  vectorNamed,
  type WrappedDataKeyVector
} from './vector-files.js'

/** Writes the examples of docs/format.md and docs/format-export.md out of the vectors, as fields at their offsets. */

const MARKED = /(<!-- example: (\S+) "([^"\n]+)" -->\n).*?(<!-- \/example -->)/gs

/** The document with each example between its two marks. */
export function withExamples(document: string): string {
  return document.replace(MARKED, (_, begin: string, file: string, name: string, end: string) => {
    return `${begin}\`\`\`text\n${exampleOf(file as VectorFileName, name)}\n\`\`\`\n${end}`
  })
}

const EXAMPLES: { [Name in VectorFileName]: (vector: VectorFiles[Name]) => string[] } = {
  'associated-data': associatedData,
  messages: (vector) => content(vector, messageAssociatedData(vector.context), 'body', vector.body),
  titles: (vector) => content(vector, titleAssociatedData(vector.context), 'title', vector.title),
  'wrapped-data-keys': wrappedDataKey,
  fingerprints: fingerprint,
  'local-private-keys': localPrivateKey,
  'vault-private-keys': vaultPrivateKey,
  'kms-private-keys': kmsPrivateKey,
  'key-events': keyEvent,
  cursors: cursor,
  'message-ids': messageId,
  exports: exported,
  'export-signing-keys': exportSigningKey,
  'import-ids': importId
}

function exampleOf<Name extends VectorFileName>(file: Name, name: string): string {
  if (!(file in EXAMPLES)) throw new Error(`there are no vectors ${file}, of which an example is to be`)
  return EXAMPLES[file](vectorNamed(file, name)).join('\n')
}

const HEADER: readonly Field[] = [
  ['format', 1],
  ['suite', 1]
]

function associatedData({ purpose, context, associatedData: hex }: AssociatedDataVector): string[] {
  const names = {
    message: ['purpose', 'conversation id', 'message id', 'sender', 'data key id', 'revision'],
    title: ['purpose', 'conversation id', 'data key id', 'revision'],
    'private key': ['purpose', 'key id', 'fingerprint']
  }[purpose]
  return [...named(context), 'associated data', ...lengthPrefixed(bytesOf(hex ?? ''), names)]
}

function content(
  vector: MessageVector | TitleVector,
  associated: Buffer,
  what: string,
  plaintext: string | null
): string[] {
  const fields: Field[] = [...HEADER, ['nonce', 12], ['ciphertext', -16], ['tag', 16]]
  return [
    ...named({ ...vector.context, dataKey: vector.dataKey }),
    ...new Bytes('associated data', associated).lines(),
    'envelope',
    ...layOut(bytesOf(vector.envelope), fields),
    text(what, plaintext)
  ]
}

function wrappedDataKey({ privateKey, wrappedKey, dataKey }: WrappedDataKeyVector): string[] {
  return [
    ...privateKeyLines(privateKey),
    'envelope',
    ...layOut(bytesOf(wrappedKey), [...HEADER, ['C', 0]]),
    ...new Bytes('data key', bytesOf(dataKey ?? '')).lines()
  ]
}

function fingerprint({ publicKey, fingerprint: print }: FingerprintVector): string[] {
  return [...new Bytes('public key', bytesOf(publicKey)).lines(), ...new Bytes('fingerprint', bytesOf(print)).lines()]
}

function localPrivateKey(vector: LocalPrivateKeyVector): string[] {
  const fields: Field[] = [...HEADER, ['salt', 32], ['nonce', 12], ['ciphertext', -16], ['tag', 16]]
  const wrapped = bytesOf(vector.wrapped)
  const info = Buffer.from('conclave/private-key-wrap/1')
  const derived = deriveKey(masterSecretFrom(bytesOf(vector.masterSecret)), wrapped.subarray(2, 34), info).export()
  return [
    ...bound(vector),
    ...new Bytes('IKM', bytesOf(vector.masterSecret)).lines(),
    ...new Bytes('info', info).lines(),
    'envelope',
    ...layOut(wrapped, fields),
    ...new Bytes('OKM', derived).lines(),
    ...privateKeyLines(vector.privateKey)
  ]
}

function vaultPrivateKey(vector: VaultPrivateKeyVector): string[] {
  return [
    `master key       ${vector.masterKey}`,
    ...bound(vector),
    'envelope',
    ...layOut(bytesOf(vector.wrapped), [...HEADER, ['text', 0]]),
    'request',
    ...Object.entries(vector.request ?? {}).flatMap(([name, value]) => textLines(name, value)),
    ...privateKeyLines(vector.privateKey)
  ]
}

function kmsPrivateKey(vector: KmsPrivateKeyVector): string[] {
  const wrapped = bytesOf(vector.wrapped)
  const fields: Field[] = [...HEADER, ['length', 2], ['ARN', wrapped.readUInt16BE(2)], ['blob', 0]]
  return [
    ...bound(vector),
    'envelope',
    ...layOut(wrapped, fields),
    'request',
    `  KeyId             ${vector.request?.KeyId}`,
    '  CiphertextBlob    as above',
    `  EncryptionContext ${JSON.stringify(vector.request?.EncryptionContext)}`,
    ...privateKeyLines(vector.privateKey)
  ]
}

/** The first event of a chain and the one behind it. */
function keyEvent({ events }: KeyEventsVector): string[] {
  const [first] = events
  const second = events.find(({ sequence }) => sequence === (first?.sequence ?? 0) + 16)
  if (!first || !second) throw new Error('this example takes two events of one chain')
  return [first, second].flatMap((event, index) => {
    const { sequence, at, actor, action, conversationId, keyVersion, detail, hash } = event
    const fields = { sequence, at, actor, action, 'conversation id': conversationId, 'key version': keyVersion, detail }
    const before = index === 0 ? '00'.repeat(32) : first.hash
    return [
      ...new Bytes('hash before', bytesOf(before)).lines(),
      ...Object.entries(fields).flatMap(([name, value]) => numbered(name, value === null ? null : String(value))),
      ...new Bytes('hash', bytesOf(hash)).lines()
    ]
  })
}

function cursor({ kind, scope, cursor: encoded, position }: CursorVector): string[] {
  const hashed = [kind, scope, position ?? ''].map((part) => `${Buffer.byteLength(part)}:${part}`).join(',')
  const fields: Field[] = [
    ['version', 1],
    ['check', 8],
    ['position', 0]
  ]
  return [text('text', hashed), ...layOut(Buffer.from(encoded, 'base64url'), fields), text('cursor', encoded)]
}

function messageId({ id, conversationId, messageId: own }: MessageIdVector): string[] {
  const fields: Field[] = [
    ['conversation', 16],
    ['message', 16]
  ]
  return [
    text('conversation id', conversationId),
    text('message id', own),
    ...layOut(Buffer.from(id, 'base64url'), fields),
    text('id', id)
  ]
}

function exported({ file, contentKey, records, manifest }: ExportVector): string[] {
  const [head = '', chunk = ''] = file
  const [header = '', payload = '', signature = ''] = (manifest ?? '').split('.')
  const [first] = records ?? []
  return [
    'line 1, the head',
    ...encrypted(head),
    ...new Bytes('content key', bytesOf(contentKey ?? '')).lines(),
    'line 2, the only chunk',
    ...encrypted(chunk),
    text('its first line', JSON.stringify(first)),
    text('its last line', JSON.stringify({ type: 'manifest', jws: '…' })),
    'jws, the manifest',
    ...members(header),
    'payload',
    ...members(payload),
    ...new Bytes('signature', Buffer.from(signature, 'base64url')).lines()
  ]
}

function exportSigningKey(vector: ExportSigningKeyVector): string[] {
  return [
    ...new Bytes('public key', bytesOf(vector.publicKey)).lines(),
    text('thumbprint', vector.thumbprint),
    ...localPrivateKey(vector)
  ]
}

function importId({ source, conversationId, reference, line, id }: ImportIdVector): string[] {
  const message = reference === null ? ['line', conversationId, line] : ['message', conversationId, reference]
  const name = conversationId === null ? ['conversation', source, reference] : message
  return [
    text('import', source),
    ...(conversationId === null ? [] : [text('conversation id', conversationId)]),
    text('called', reference),
    text('line', String(line)),
    ...new Bytes('name', Buffer.from(name.join('\n'))).lines(),
    text('id', id)
  ]
}

/** The parts of a compact JWE. */
function encrypted(line: string): string[] {
  const [header = '', ...parts] = line.trimEnd().split('.')
  const names = ['encrypted key', 'IV', 'ciphertext', 'tag']
  return [
    ...members(header),
    ...names.flatMap((name, index) => new Bytes(name, Buffer.from(parts[index] ?? '', 'base64url')).lines())
  ]
}

/** Of an object in JSON, in base64url. */
function members(encoded: string): string[] {
  const values = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8')) as Record<string, unknown>
  return Object.entries(values).map(([name, value]) => text(`  ${name}`, JSON.stringify(value)))
}

function bound({ keyId, fingerprint: print }: { keyId: string; fingerprint: Hex }): string[] {
  return [text('key id', keyId), ...new Bytes('fingerprint', bytesOf(print)).lines()]
}

function privateKeyLines(hex: Hex | null): string[] {
  return new Bytes('private key', bytesOf(hex ?? '')).lines()
}

const SPELT: Record<string, string> = {
  conversationId: 'conversation id',
  messageId: 'message id',
  senderId: 'sender',
  dataKeyId: 'data key id',
  dataKey: 'data key',
  keyId: 'key id'
}

function named(values: Record<string, string | number | null>): string[] {
  return Object.entries(values).map(([name, value]) => text(SPELT[name] ?? name, value === null ? null : String(value)))
}

function textLines(name: string, value: string): string[] {
  const shown = value.length > 100 ? `${value.slice(0, 64)} … ${value.slice(-24)}` : value
  return [`  ${name.padEnd(17)} ${shown}`]
}
