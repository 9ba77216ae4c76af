import { randomBytes, randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { masterSecretFrom } from '../../../src/crypto/keys.js'
import { unwrapPrivateKey } from '../../../src/crypto/private-key-wrap.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import type { MasterKey } from '../../../src/master-key/master-key.js'

const context = { keyId: randomUUID(), fingerprint: randomBytes(32) }
const privateKey = randomBytes(1200)

// What every provider promises is in test/flow/master-key; this is what only a local secret does.
describe('a local master key', () => {
  it('refuses what another secret has wrapped, even under the same id', async () => {
    const wrapped = await wrapWith(newKey('a'))
    expect(await newKey('a').unwrap([{ wrapped, context }])).toMatchObject([{ kind: 'WRONG_KEY', uri: 'local:a' }])
  })

  it('has its id in its URI, and no versions', async () => {
    expect(newKey('2026-11').uri).toBe('local:2026-11')
    expect(await newKey('a').version()).toBeNull()
  })

  it('does not bind its id: the same secret under a new name still unwraps', async () => {
    const bytes = randomBytes(32)
    const before = new LocalMasterKey('before', masterSecretFrom(Buffer.from(bytes)))
    const after = new LocalMasterKey('after', masterSecretFrom(Buffer.from(bytes)))
    const wrapped = await wrapWith(before)
    expect(await after.unwrap([{ wrapped, context }])).toEqual([privateKey])
    expect(unwrapPrivateKey(masterSecretFrom(bytes), wrapped, context)).toEqual(privateKey)
  })

  it('does not show its secret when it is printed', () => {
    const bytes = randomBytes(32)
    const key = new LocalMasterKey('a', masterSecretFrom(Buffer.from(bytes)))
    expect(JSON.stringify(key)).toBe('{"uri":"local:a"}')
    expect(inspect(key, { showHidden: true, depth: 9 })).not.toContain('KeyObject')
  })
})

async function wrapWith(key: MasterKey): Promise<Buffer> {
  const [wrapping] = await key.wrap([{ privateKey, context }])
  if (!wrapping) throw new Error('nothing was wrapped')
  return wrapping.wrapped
}

function newKey(id: string): LocalMasterKey {
  return new LocalMasterKey(id, masterSecretFrom(randomBytes(32)))
}
