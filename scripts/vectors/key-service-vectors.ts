import { randomBytes, randomUUID } from 'node:crypto'
import type { PrivateKeyContext } from '../../src/crypto/associated-data.js'
import { encodeEnvelope, Suite } from '../../src/crypto/envelope.js'
import { fingerprint } from '../../src/crypto/key-transport.js'
import type { MasterKey } from '../../src/master-key/master-key.js'
import { KnownKms, KnownTransit, kmsKey, vaultKey } from './key-services.js'
import type { VectorPairs } from './key-vectors.js'
import { spoiltEnvelopes } from './spoilt.js'
import type { KmsPrivateKeyVector, VaultPrivateKeyVector } from './vector-files.js'

const TRANSIT = 'vault:transit/conclave'
const HOME = 'arn:aws:kms:eu-central-1:123456789012:'
const ARN = `${HOME}key/ea440e7f-7205-4a0c-b7c8-82795739ee99`
const FOREIGN_ARN = ARN.replace('123456789012', '999999999999')
const OTHER_ARN = `${HOME}key/0b7c1f5e-3d7a-4c55-9d0e-6a1f2b3c4d5e`

type Named = Pick<KmsPrivateKeyVector, 'masterKey' | 'describedArn'>
const BY_ARN: Named = { masterKey: `aws-kms:${ARN}`, describedArn: ARN }
const MOVED_ARN: Named = { masterKey: `aws-kms:${OTHER_ARN}`, describedArn: OTHER_ARN }
const MOVED_ALIAS: Named = { masterKey: `aws-kms:${HOME}alias/conclave`, describedArn: OTHER_ARN }
const FOREIGN_ALIAS: Named = { ...MOVED_ALIAS, describedArn: FOREIGN_ARN }
/** Of the ARN, where the header ends. */
const LENGTH_OFFSET = 2
const ARN_OFFSET = 4

const TEXT_BEGIN = 'vault:v1:'
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** What is wrapped, and to what it is bound. */
interface Subject {
  context: PrivateKeyContext
  privateKey: Buffer
  otherFingerprint: Buffer
}

function subjectOf(pairs: VectorPairs): Subject {
  const { publicKey, privateKey } = pairs[2048]
  const context = { keyId: randomUUID(), fingerprint: fingerprint(publicKey) }
  return { context, privateKey, otherFingerprint: fingerprint(pairs.other.publicKey) }
}

export async function vaultPrivateKeyVectors(pairs: VectorPairs): Promise<VaultPrivateKeyVector[]> {
  const subject = subjectOf(pairs)
  return [...(await transitVectors(subject, false)), ...(await transitVectors(subject, true))]
}

async function transitVectors(subject: Subject, derived: boolean): Promise<VaultPrivateKeyVector[]> {
  const transitKey = randomBytes(32)
  const wrapped = await wrap(vaultKey(TRANSIT, new KnownTransit(transitKey, derived)), subject)
  const read = async (name: string, bytes: Buffer, moved = {}): Promise<VaultPrivateKeyVector> => {
    const transit = new KnownTransit(transitKey, derived)
    const context = { ...subject.context, ...moved }
    const privateKey = await unwrap(vaultKey(TRANSIT, transit), bytes, context)
    return {
      name: derived ? `derived, ${name}` : name,
      result: privateKey ? 'valid' : 'invalid',
      masterKey: TRANSIT,
      transitKey: transitKey.toString('hex'),
      derived,
      ...bound(context),
      wrapped: bytes.toString('hex'),
      request: transit.asked[0] ?? null,
      privateKey
    }
  }
  const vectors = [await read('of 2048 bits', wrapped)]
  for (const [name, bytes] of [...spoiltEnvelopes(wrapped, 5), ...otherTexts(wrapped)])
    vectors.push(await read(name, bytes))
  vectors.push(await read('of another key id', wrapped, { keyId: randomUUID() }))
  vectors.push(await read('of another fingerprint', wrapped, { fingerprint: subject.otherFingerprint }))
  return onlyFirstIsValid(vectors)
}

/** Other spellings, of which Transit takes some. */
function otherTexts(wrapped: Buffer): [string, Buffer][] {
  const text = wrapped.toString('latin1', 2)
  const spelt = (other: string) => encodeEnvelope(Suite.VAULT_TRANSIT, Buffer.from(other, 'latin1'))
  return [
    ['version 0', spelt(text.replace('v1', 'v0'))],
    ['a version with a zero in front', spelt(text.replace('v1', 'v01'))],
    ['another word in front', spelt(text.replace('vault', 'bao'))],
    ['a line break at the end', spelt(`${text}\n`)],
    ['base64 whose last bits are not zero', spelt(withLastBitsSet(text))],
    ['base64 in the alphabet for URLs', spelt(text.replace(/^(vault:v1:)./, '$1-'))]
  ]
}

/** The last character before the padding stands for bits that are not there: libraries ignore them. */
function withLastBitsSet(text: string): string {
  const bytes = Buffer.from(text.slice(TEXT_BEGIN.length), 'base64')
  const padded = bytes.subarray(0, bytes.length % 3 === 0 ? -1 : undefined).toString('base64')
  const place = padded.indexOf('=') - 1
  const next = DIGITS[DIGITS.indexOf(padded.charAt(place)) + 1]
  return TEXT_BEGIN + padded.slice(0, place) + next + padded.slice(place + 1)
}

export async function kmsPrivateKeyVectors(pairs: VectorPairs): Promise<KmsPrivateKeyVector[]> {
  const subject = subjectOf(pairs)
  const key = randomBytes(32)
  const wrapped = await wrap(kmsKey(BY_ARN.masterKey, new KnownKms(key, ARN, ARN)), subject)
  const read = async (name: string, bytes: Buffer, moved = {}, named: Named = BY_ARN): Promise<KmsPrivateKeyVector> => {
    const kms = new KnownKms(key, ARN, named.describedArn)
    const context = { ...subject.context, ...moved }
    const privateKey = await unwrap(kmsKey(named.masterKey, kms), bytes, context)
    const [asked] = kms.asked
    return {
      name,
      result: privateKey ? 'valid' : 'invalid',
      ...named,
      kmsKey: key.toString('hex'),
      ...bound(context),
      wrapped: bytes.toString('hex'),
      request: asked ? { ...asked, CiphertextBlob: Buffer.from(asked.CiphertextBlob ?? []).toString('hex') } : null,
      privateKey
    }
  }
  const vectors = [await read('of 2048 bits', wrapped)]
  for (const [name, bytes] of [...spoiltEnvelopes(wrapped, 4), ...otherArns(wrapped)])
    vectors.push(await read(name, bytes))
  vectors.push(await read('of another key id', wrapped, { keyId: randomUUID() }))
  vectors.push(await read('of another fingerprint', wrapped, { fingerprint: subject.otherFingerprint }))
  vectors.push(await read('of another key of the same account, named by its ARN', wrapped, {}, MOVED_ARN))
  vectors.push(await read('of an alias that means a key of another account', wrapped, {}, FOREIGN_ALIAS))
  const moved = await read('of an alias that was moved since', wrapped, {}, MOVED_ALIAS)
  return [...onlyFirstIsValid(vectors), ...onlyFirstIsValid([moved])]
}

function otherArns(wrapped: Buffer): [string, Buffer][] {
  const blob = wrapped.subarray(ARN_OFFSET + ARN.length)
  const withLength = (length: number) => {
    const copy = Buffer.from(wrapped)
    copy.writeUInt16BE(length, LENGTH_OFFSET)
    return copy
  }
  const named = (arn: string) => Buffer.concat([wrapped.subarray(0, ARN_OFFSET), Buffer.from(arn, 'latin1'), blob])
  return [
    ['a length of 0', withLength(0)],
    ['a length of one less', withLength(ARN.length - 1)],
    ['a length beyond the end', withLength(0xffff)],
    ['the length cut in two', wrapped.subarray(0, LENGTH_OFFSET + 1)],
    ['no ciphertext', wrapped.subarray(0, ARN_OFFSET + ARN.length)],
    ['a name that is no ARN of a key', named(ARN.replace('arn:', 'urn:'))],
    ['the ARN of a key of another account', named(FOREIGN_ARN)]
  ]
}

async function wrap(key: MasterKey, { privateKey, context }: Subject): Promise<Buffer> {
  const [wrapping] = await key.wrap([{ privateKey, context }])
  if (!wrapping) throw new Error('a master key wraps every key that it is given')
  return wrapping.wrapped
}

/** @returns hexadecimal; null for what is refused */
async function unwrap(key: MasterKey, wrapped: Buffer, context: PrivateKeyContext): Promise<string | null> {
  const [opened] = await key.unwrap([{ wrapped, context }])
  return Buffer.isBuffer(opened) ? opened.toString('hex') : null
}

function onlyFirstIsValid<Vector extends { name: string; result: string }>(vectors: Vector[]): Vector[] {
  const wrong = vectors.find(({ result }, index) => (result === 'valid') !== (index === 0))
  if (wrong) throw new Error(`the case "${wrong.name}" is not what it says`)
  return vectors
}

function bound({ keyId, fingerprint: print }: PrivateKeyContext): { keyId: string; fingerprint: string } {
  return { keyId, fingerprint: Buffer.from(print).toString('hex') }
}
