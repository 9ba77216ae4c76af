import { constants, createPublicKey, generateKeyPairSync, publicEncrypt, randomBytes, randomUUID } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK } from 'jose'
import type { PrivateKeyContext } from '../../src/crypto/associated-data.js'
import { encodeEnvelope, Suite } from '../../src/crypto/envelope.js'
import { fingerprint, importPublicKey, type KeyPairBytes, wrapDataKey } from '../../src/crypto/key-transport.js'
import { dataKeyFrom, masterSecretFrom } from '../../src/crypto/keys.js'
import { unwrapPrivateKey, wrapPrivateKey } from '../../src/crypto/private-key-wrap.js'
import { flipped, spoiltEnvelopes, withByteAdded } from './spoilt.js'
import type {
  ExportSigningKeyVector,
  FingerprintVector,
  LocalPrivateKeyVector,
  WrappedDataKeyVector
} from './vector-files.js'

/** Pairs of the three sizes, and another one of the first. */
export interface VectorPairs {
  2048: KeyPairBytes
  3072: KeyPairBytes
  4096: KeyPairBytes
  other: KeyPairBytes
}

export function wrappedDataKeyVectors(pairs: VectorPairs): WrappedDataKeyVector[] {
  const dataKey = randomBytes(32)
  const wrap = ({ publicKey }: KeyPairBytes) =>
    wrapDataKey(importPublicKey(publicKey), dataKeyFrom(Uint8Array.from(dataKey)))
  const original = wrap(pairs[2048])
  const valid = ([2048, 3072, 4096] as const).map((bits): WrappedDataKeyVector => {
    const { privateKey } = pairs[bits]
    const wrappedKey = bits === 2048 ? original : wrap(pairs[bits])
    return { name: `under ${bits} bits`, result: 'valid', ...asHex({ privateKey, wrappedKey, dataKey }) }
  })
  const refused = (name: string, wrappedKey: Buffer, { privateKey } = pairs[2048]): WrappedDataKeyVector => {
    return { name, result: 'invalid', ...asHex({ privateKey, wrappedKey }), dataKey: null }
  }
  return [
    ...valid,
    ...[...spoiltEnvelopes(original, 1)].map(([name, wrappedKey]) => refused(name, wrappedKey)),
    refused('a byte added', withByteAdded(original)),
    refused('under another key', original, pairs.other),
    ...otherPaddings(pairs[2048], dataKey).map(([name, wrappedKey]) => refused(name, wrappedKey))
  ]
}

/** RSA in other ways than suite 2 has it, and keys that are none. */
function otherPaddings({ publicKey }: KeyPairBytes, dataKey: Buffer): [string, Buffer][] {
  const key = createPublicKey({ key: publicKey, type: 'spki', format: 'der' })
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const oaep = { key, padding, oaepHash: 'sha256' }
  const under = (encrypted: Buffer) => encodeEnvelope(Suite.RSA_OAEP_256, encrypted)
  return [
    ['OAEP with SHA-1', under(publicEncrypt({ key, padding, oaepHash: 'sha1' }, dataKey))],
    ['OAEP with a label', under(publicEncrypt({ ...oaep, oaepLabel: Buffer.from('conclave') }, dataKey))],
    ['PKCS #1 v1.5', under(publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, dataKey))],
    ['a data key of 16 bytes', under(publicEncrypt(oaep, dataKey.subarray(16)))],
    ['a data key of 33 bytes', under(publicEncrypt(oaep, withByteAdded(dataKey)))],
    ['a data key of no bytes', under(publicEncrypt(oaep, Buffer.alloc(0)))]
  ]
}

export function fingerprintVectors(pairs: VectorPairs): FingerprintVector[] {
  const of = (publicKey: Buffer, privateKey: Buffer, print: Buffer) =>
    asHex({ publicKey, privateKey, fingerprint: print })
  const { publicKey, privateKey } = pairs[2048]
  const print = fingerprint(publicKey)
  const longer = withByteAdded(publicKey)
  const edwards = edwardsPair()
  const valid = ([2048, 3072, 4096] as const).map((bits): FingerprintVector => {
    const pair = pairs[bits]
    return {
      name: `of ${bits} bits`,
      result: 'valid',
      ...of(pair.publicKey, pair.privateKey, fingerprint(pair.publicKey))
    }
  })
  return [
    ...valid,
    { name: 'of another pair', result: 'invalid', ...of(publicKey, pairs.other.privateKey, print) },
    { name: 'of a public key with a byte added', result: 'invalid', ...of(longer, privateKey, fingerprint(longer)) },
    { name: 'of a public key cut short', result: 'invalid', ...of(publicKey.subarray(0, -1), privateKey, print) },
    {
      name: 'of a pair that is not RSA',
      result: 'invalid',
      ...of(edwards.publicKey, edwards.privateKey, fingerprint(edwards.publicKey))
    }
  ]
}

export function localPrivateKeyVectors(pairs: VectorPairs): LocalPrivateKeyVector[] {
  const secret = randomBytes(32)
  const context: PrivateKeyContext = { keyId: randomUUID(), fingerprint: fingerprint(pairs[2048].publicKey) }
  const { privateKey } = pairs[2048]
  const wrapped = wrapPrivateKey(masterSecretFrom(Uint8Array.from(secret)), privateKey, context)
  const refused = (
    name: string,
    bytes: Buffer,
    moved: Partial<PrivateKeyContext> = {},
    masterSecret = secret
  ): LocalPrivateKeyVector => {
    const inputs = { ...bound({ ...context, ...moved }), ...asHex({ masterSecret, wrapped: bytes }) }
    return { name, result: 'invalid', ...inputs, privateKey: null }
  }
  const opens: LocalPrivateKeyVector = {
    name: 'of 2048 bits',
    result: 'valid',
    ...bound(context),
    ...asHex({ masterSecret: secret, wrapped, privateKey })
  }
  return [
    opens,
    ...[...spoiltEnvelopes(wrapped, 1)].map(([name, bytes]) => refused(name, bytes)),
    refused('a byte added', withByteAdded(wrapped)),
    refused('a bit of the nonce flipped', flipped(wrapped, 34)),
    refused('a bit of the ciphertext flipped', flipped(wrapped, 46)),
    refused('one byte less than salt, nonce and tag have', wrapped.subarray(0, 2 + 32 + 12 + 15)),
    refused('of another key id', wrapped, { keyId: randomUUID() }),
    refused('of another fingerprint', wrapped, { fingerprint: fingerprint(pairs.other.publicKey) }),
    refused('under another master secret', wrapped, {}, randomBytes(32)),
    refused('of suite 1, by the master secret itself', underSecretItself(secret, privateKey, context))
  ].map(checked)
}

/** Of Ed25519, wrapped as those of conversations are. */
export async function exportSigningKeyVectors(pairs: VectorPairs): Promise<ExportSigningKeyVector[]> {
  const { publicKey, privateKey } = edwardsPair()
  const [secret, keyId] = [randomBytes(32), randomUUID()]
  const jwk = await exportJWK(createPublicKey({ key: publicKey, type: 'spki', format: 'der' }))
  const context = { keyId, fingerprint: fingerprint(publicKey) }
  const wrapped = wrapPrivateKey(masterSecretFrom(Uint8Array.from(secret)), privateKey, context)
  const opens: ExportSigningKeyVector = {
    name: 'of Ed25519',
    result: 'valid',
    ...bound(context),
    ...asHex({ masterSecret: secret, publicKey, wrapped, privateKey }),
    thumbprint: await calculateJwkThumbprint(jwk)
  }
  const refused = (name: string, change: Partial<ExportSigningKeyVector>): ExportSigningKeyVector => {
    return { ...opens, name, result: 'invalid', ...change, privateKey: null }
  }
  const moved = (other: Buffer) => asHex({ publicKey: other, fingerprint: fingerprint(other) })
  return [
    opens,
    ...[...spoiltEnvelopes(wrapped, 1)].map(([name, bytes]) => refused(name, asHex({ wrapped: bytes }))),
    refused('a byte added', asHex({ wrapped: withByteAdded(wrapped) })),
    refused('of another key id', { keyId: randomUUID() }),
    refused('beside another public key', moved(edwardsPair().publicKey)),
    refused('beside the public key of a conversation', moved(pairs[2048].publicKey)),
    refused('under another master secret', asHex({ masterSecret: randomBytes(32) }))
  ].map(checked)
}

function edwardsPair(): KeyPairBytes {
  return generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' }
  })
}

/** Without a key derived from it: a reader must not take the suite of content for one of keys. */
function underSecretItself(secret: Buffer, privateKey: Buffer, context: PrivateKeyContext): Buffer {
  const wrapped = wrapPrivateKey(masterSecretFrom(Uint8Array.from(secret)), privateKey, context)
  return Buffer.concat([Uint8Array.of(1, 1), wrapped.subarray(34)])
}

/** A case must be what it says before it is written down. */
function checked<Vector extends LocalPrivateKeyVector>(vector: Vector): Vector {
  let opened: string | null
  try {
    const context = { keyId: vector.keyId, fingerprint: Buffer.from(vector.fingerprint, 'hex') }
    const secret = masterSecretFrom(Uint8Array.from(Buffer.from(vector.masterSecret, 'hex')))
    opened = unwrapPrivateKey(secret, Buffer.from(vector.wrapped, 'hex'), context).toString('hex')
  } catch {
    opened = null
  }
  if (opened !== vector.privateKey) throw new Error(`the case "${vector.name}" is not what it says`)
  return vector
}

function bound({ keyId, fingerprint }: PrivateKeyContext): { keyId: string; fingerprint: string } {
  return { keyId, fingerprint: Buffer.from(fingerprint).toString('hex') }
}

function asHex<Fields extends Record<string, Buffer>>(fields: Fields): { [Name in keyof Fields]: string } {
  const entries = Object.entries(fields).map(([name, bytes]) => [name, bytes.toString('hex')])
  return Object.fromEntries(entries) as { [Name in keyof Fields]: string }
}
