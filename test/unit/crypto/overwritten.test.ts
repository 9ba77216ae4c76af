import type * as NodeCrypto from 'node:crypto'
import { randomBytes, randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { decryptContent, encryptContent } from '../../../src/crypto/content-encryption.js'
import { generateDataKey, masterSecretFrom } from '../../../src/crypto/keys.js'
import { wrapPrivateKey } from '../../../src/crypto/private-key-wrap.js'
import { thrownBy } from '../failures.js'
import { expectDecryptionError } from './tampering.js'

const seen = vi.hoisted(() => ({ plaintexts: [] as Buffer[], derived: [] as ArrayBuffer[] }))

/** Keeps hold of what the code under test has to overwrite. */
vi.mock('node:crypto', async (importOriginal) => {
  const original = await importOriginal<typeof NodeCrypto>()
  const createDecipheriv = (...args: Parameters<typeof original.createDecipheriv>) => {
    const decipher = original.createDecipheriv(...args)
    const update = decipher.update.bind(decipher)
    decipher.update = ((ciphertext: Buffer) => {
      const plaintext = update(ciphertext)
      seen.plaintexts.push(plaintext)
      return plaintext
    }) as typeof decipher.update
    return decipher
  }
  const hkdfSync = (...args: Parameters<typeof original.hkdfSync>) => {
    const derived = original.hkdfSync(...args)
    seen.derived.push(derived)
    return derived
  }
  return { ...original, createDecipheriv, hkdfSync }
})

beforeEach(() => {
  seen.plaintexts.length = 0
  seen.derived.length = 0
})

describe('what must not stay in memory', () => {
  it('is overwritten: a plaintext whose tag was not the right one', () => {
    const key = generateDataKey()
    const envelope = encryptContent(key, randomBytes(64), Buffer.alloc(0))
    expectDecryptionError(thrownBy(() => decryptContent(key, envelope, Buffer.of(1))))
    expect(seen.plaintexts).toEqual([Buffer.alloc(64)])
  })

  it('is overwritten: the bytes of a derived key, once it is a key', () => {
    const secret = masterSecretFrom(randomBytes(32))
    wrapPrivateKey(secret, randomBytes(64), { keyId: randomUUID(), fingerprint: randomBytes(32) })
    expect(seen.derived.map((bytes) => Buffer.from(bytes))).toEqual([Buffer.alloc(32)])
  })
})
