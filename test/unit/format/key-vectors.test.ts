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
