import { randomBytes, randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { masterSecretFrom } from '../../../src/crypto/keys.js'
import { unwrapPrivateKey } from '../../../src/crypto/private-key-wrap.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import { expectDecryptionError } from '../crypto/tampering.js'
import { rejectionOf } from '../failures.js'

const context = { keyId: randomUUID(), fingerprint: randomBytes(32) }
const privateKey = randomBytes(1200)

describe('a local master key', () => {
  it('refuses what another secret has wrapped, even under the same id', async () => {
    const wrapped = await newKey('a').wrap(privateKey, context)
    expectDecryptionError(await rejectionOf(newKey('a').unwrap(wrapped, context)))
  })

  it('refuses a private key moved to another key version', async () => {
    const key = newKey('a')
    const wrapped = await key.wrap(privateKey, context)
    const moved = [
      { ...context, keyId: randomUUID() },
      { ...context, fingerprint: randomBytes(32) }
    ]
    for (const elsewhere of moved) expectDecryptionError(await rejectionOf(key.unwrap(wrapped, elsewhere)))
  })

  it('refuses by rejecting, and does not throw before there is a promise', async () => {
    const key = newKey('a')
    const promise = key.unwrap(Buffer.alloc(0), context)
    expectDecryptionError(await rejectionOf(promise))
  })

  it('has its id in its URI', () => {
    expect(newKey('2026-11').uri).toBe('local:2026-11')
  })

  it('gives back what it has wrapped', async () => {
    const key = newKey('a')
    const wrapped = await key.wrap(privateKey, context)
    expect(wrapped.includes(privateKey.subarray(0, 16))).toBe(false)
    expect(await key.unwrap(wrapped, context)).toEqual(privateKey)
  })

  it('does not bind its id: the same secret under a new name still unwraps', async () => {
    const bytes = randomBytes(32)
    const before = new LocalMasterKey('before', masterSecretFrom(Buffer.from(bytes)))
    const after = new LocalMasterKey('after', masterSecretFrom(Buffer.from(bytes)))
    const wrapped = await before.wrap(privateKey, context)
    expect(await after.unwrap(wrapped, context)).toEqual(privateKey)
    expect(unwrapPrivateKey(masterSecretFrom(bytes), wrapped, context)).toEqual(privateKey)
  })

  it('does not show its secret when it is printed', () => {
    const bytes = randomBytes(32)
    const key = new LocalMasterKey('a', masterSecretFrom(Buffer.from(bytes)))
    expect(JSON.stringify(key)).toBe('{"uri":"local:a"}')
    expect(inspect(key, { showHidden: true, depth: 9 })).not.toContain('KeyObject')
  })
})

function newKey(id: string): LocalMasterKey {
  return new LocalMasterKey(id, masterSecretFrom(randomBytes(32)))
}
