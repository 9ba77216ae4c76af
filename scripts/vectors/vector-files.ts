import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MessageContext, TitleContext } from '../../src/crypto/associated-data.js'
import type { CursorKind } from '../../src/graphql/cursor.js'
import type { ExportRecord } from '../../src/transfer/records.js'

/**
 * The files of test/vectors: inputs and outputs of everything that docs/format.md and docs/format-export.md describe,
 * complete in themselves, so that a reader in another language is held to them as well. Bytes are hexadecimal.
 */

export type Hex = string

export interface Case {
  name: string
  /** Invalid ones must be refused: what should come out of them is null. */
  result: 'valid' | 'invalid'
}

export interface AssociatedDataVector extends Case {
  purpose: 'message' | 'title' | 'private key'
  context: Record<string, string | number | null>
  associatedData: Hex | null
}

export interface MessageVector extends Case {
  dataKey: Hex
  context: MessageContext
  envelope: Hex
  body: string | null
}

export interface TitleVector extends Case {
  dataKey: Hex
  context: TitleContext
  envelope: Hex
  title: string | null
}

export interface WrappedDataKeyVector extends Case {
  /** DER PKCS#8. */
  privateKey: Hex
  wrappedKey: Hex
  dataKey: Hex | null
}

export interface FingerprintVector extends Case {
  /** DER SubjectPublicKeyInfo. */
  publicKey: Hex
  /** DER PKCS#8, of the same pair in a valid case. */
  privateKey: Hex
  fingerprint: Hex
}

/** What a wrapped private key is bound to. */
interface WrappedPrivateKeyVector extends Case {
  keyId: string
  fingerprint: Hex
  wrapped: Hex
  /** DER PKCS#8. */
  privateKey: Hex | null
}

export interface LocalPrivateKeyVector extends WrappedPrivateKeyVector {
  masterSecret: Hex
}

export interface VaultPrivateKeyVector extends WrappedPrivateKeyVector {
  masterKey: string
  /** Of a Transit key of type aes256-gcm96, as its export has it. */
  transitKey: Hex
  derived: boolean
  /** What a reader asks of Transit's `decrypt`; null where there is nothing to ask. */
  request: Record<string, string> | null
}

export interface KmsPrivateKeyVector extends WrappedPrivateKeyVector {
  masterKey: string
  /** What DescribeKey says of the name in `masterKey`: an alias may have been moved. */
  describedArn: string
  /** Of the stand-in that answers for KMS: KMS itself gives its keys to nobody. */
  kmsKey: Hex
  /** What a reader asks of KMS; null where there is nothing to ask. */
  request: { KeyId: string; CiphertextBlob: Hex; EncryptionContext: Record<string, string> } | null
}

export interface KeyEventRow {
  sequence: number
  at: string
  actor: string
  action: string
  conversationId: string | null
  keyVersion: number | null
  detail: string | null
  hash: Hex
}

export interface KeyEventsVector extends Case {
  /** In the order of their sequence. */
  events: KeyEventRow[]
  /** Chains without events have no entry: theirs is 0 and 32 zero bytes. */
  heads: { shard: number; count: number; hash: Hex }[]
  firstInvalidSequence: number | null
}

export interface CursorVector extends Case {
  kind: CursorKind
  scope: string
  cursor: string
  position: string | null
}

export interface MessageIdVector extends Case {
  id: string
  conversationId: string | null
  messageId: string | null
}

export interface ExportVector extends Case {
  /** Of whom the file is opened with: PEM, PKCS#8. */
  privateKey: string
  /** Each line with its line feed, unless the file ends without one. */
  file: string[]
  /** Which the head has. */
  contentKey: Hex | null
  records: ExportRecord[] | null
  /** Compact JWS. */
  manifest: string | null
  /** Thumbprint of the key that has signed it. */
  signedBy: string | null
}

/** A key that exports are signed with, as `export_signing_keys` has it. */
export interface ExportSigningKeyVector extends WrappedPrivateKeyVector {
  masterSecret: Hex
  /** DER SubjectPublicKeyInfo. */
  publicKey: Hex
  /** RFC 7638, as a manifest names it. */
  thumbprint: string
}

export interface ImportIdVector extends Case {
  /** Name of the import. */
  source: string
  /** UUID of the conversation that a message is in; null for a conversation itself. */
  conversationId: string | null
  /** What the source calls it; null for a message without an id. */
  reference: string | null
  /** Of that message. */
  line: number
  /** In an invalid case one that it does not get. */
  id: string
}

export interface VectorFiles {
  'associated-data': AssociatedDataVector
  messages: MessageVector
  titles: TitleVector
  'wrapped-data-keys': WrappedDataKeyVector
  fingerprints: FingerprintVector
  'local-private-keys': LocalPrivateKeyVector
  'vault-private-keys': VaultPrivateKeyVector
  'kms-private-keys': KmsPrivateKeyVector
  'key-events': KeyEventsVector
  cursors: CursorVector
  'message-ids': MessageIdVector
  exports: ExportVector
  'export-signing-keys': ExportSigningKeyVector
  'import-ids': ImportIdVector
}

export type VectorFileName = keyof VectorFiles

export function vectorPath(name: VectorFileName): string {
  return join('test', 'vectors', `${name}.json`)
}

/** From the project's folder, where every script and test of the project runs. */
export function readVectors<Name extends VectorFileName>(name: Name): VectorFiles[Name][] {
  return (JSON.parse(readFileSync(vectorPath(name), 'utf8')) as { vectors: VectorFiles[Name][] }).vectors
}

/** @throws Error when the file has no such case */
export function vectorNamed<Name extends VectorFileName>(name: Name, caseName: string): VectorFiles[Name] {
  const found = readVectors(name).find((vector) => vector.name === caseName)
  if (!found) throw new Error(`${vectorPath(name)} has no case "${caseName}"`)
  return found
}

export function bytesOf(hex: Hex): Buffer {
  return Buffer.from(hex, 'hex')
}
