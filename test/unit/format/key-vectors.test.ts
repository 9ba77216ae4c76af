import { describe, expect, it } from 'vitest'
import { bytesOf, readVectors } from '../../../scripts/vectors/vector-files.js'
import {
  fingerprint,
  fingerprintOfPrivateKey,
  importPrivateKey,
  importPublicKey,
  unwrapDataKey
} from '../../../src/crypto/key-transport.js'
import { dataKeyFrom, masterSecretFrom, withSecretBytes } from '../../../src/crypto/keys.js'
import { unwrapPrivateKey } from '../../../src/crypto/private-key-wrap.js'
import type { Statement } from '../../../src/database/database.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import { MasterKeys } from '../../../src/master-key/master-keys.js'
import { exportSigner, listSigningKeys } from '../../../src/transfer/signing-key.js'
import { expectDecryptionError } from '../crypto/tampering.js'
import { rejectionOf, thrownBy } from '../failures.js'

describe('a data key that was wrapped once', () => {
  it.each(readVectors('wrapped-data-keys').map((vector) => [vector.result, vector.name, vector] as const))(
    '%s: %s',
    async (_, __, { result, privateKey, wrappedKey, dataKey }) => {
      const opening = openDataKey(privateKey, wrappedKey)
      if (result === 'invalid') expectDecryptionError(await rejectionOf(opening))
      else expect(await opening).toBe(dataKey)
    }
  )
})

describe('a fingerprint that was computed once', () => {
  it.each(readVectors('fingerprints').map((vector) => [vector.result, vector.name, vector] as const))(
    '%s: %s',
    (_, __, { result, publicKey, privateKey, fingerprint: print }) => {
      const holds = () => {
        importPublicKey(bytesOf(publicKey))
        importPrivateKey(bytesOf(privateKey))
        return [fingerprint(bytesOf(publicKey)), fingerprintOfPrivateKey(bytesOf(privateKey))].every(
          (computed) => computed.toString('hex') === print
        )
      }
      if (result === 'invalid') expect(refusesOrDiffers(holds)).toBe(true)
      else expect(holds()).toBe(true)
    }
  )
})

describe('a private key that was wrapped once under a local master key', () => {
  it.each(readVectors('local-private-keys').map((vector) => [vector.result, vector.name, vector] as const))(
    '%s: %s',
    (_, __, { result, masterSecret, keyId, fingerprint: print, wrapped, privateKey }) => {
      const secret = masterSecretFrom(bytesOf(masterSecret))
      const open = () => unwrapPrivateKey(secret, bytesOf(wrapped), { keyId, fingerprint: bytesOf(print) })
      if (result === 'invalid') expectDecryptionError(thrownBy(open))
      else expect(open().toString('hex')).toBe(privateKey)
    }
  )
})

describe('a key that exports are signed with, which was wrapped once', () => {
  const vectors = readVectors('export-signing-keys').map((vector) => [vector.result, vector.name, vector] as const)

  it.each(vectors)('%s: %s', async (_, __, { masterSecret, keyId, publicKey, wrapped, privateKey, thumbprint }) => {
    const masterKey = new LocalMasterKey('test', masterSecretFrom(bytesOf(masterSecret)))
    const row = { keyId, publicKey: bytesOf(publicKey), wrappedPrivateKey: bytesOf(wrapped), createdAt: new Date(0) }
    const signer = exportSigner(servicesWith(masterKey, row))
    if (privateKey === null) return expect(await rejectionOf(signer)).toBe(MADE_ANEW)
    const opened = (await signer).privateKey.export({ type: 'pkcs8', format: 'der' })
    expect(opened.toString('hex')).toBe(privateKey)
    expect(await listSigningKeys(servicesWith(masterKey, row))).toMatchObject([{ thumbprint }])
  })
})

/** One that does not open is left, and another one made. */
const MADE_ANEW = new Error('another key is stored')

function servicesWith(masterKey: LocalMasterKey, row: object): Parameters<typeof exportSigner>[0] {
  const run = async ({ text }: Statement) => {
    if (/^\s*insert/.test(text)) throw MADE_ANEW
    return [row]
  }
  const services = { database: { run }, masterKeys: new MasterKeys(masterKey), clock: { now: () => new Date(0) } }
  return { ...services, log: { error: () => {} } } as unknown as Parameters<typeof exportSigner>[0]
}

async function openDataKey(privateKey: string, wrappedKey: string): Promise<string> {
  const opened = await unwrapDataKey(importPrivateKey(bytesOf(privateKey)), bytesOf(wrappedKey))
  const hex = withSecretBytes(opened, (bytes) => bytes.toString('hex'))
  // Of the size that a data key has.
  dataKeyFrom(bytesOf(hex))
  return hex
}

function refusesOrDiffers(holds: () => boolean): boolean {
  try {
    return !holds()
  } catch {
    return true
  }
}
