import { randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { masterSecretFrom } from '../../../src/crypto/keys.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import { MasterKeyUnreachable } from '../../../src/master-key/master-key.js'
import { MasterKeys } from '../../../src/master-key/master-keys.js'
import { expectDecryptionError } from '../crypto/tampering.js'
import { rejectionOf } from '../failures.js'

const context = { keyId: randomUUID(), fingerprint: randomBytes(32) }
const privateKey = randomBytes(1200)
const current = newKey('current')
const old = newKey('old')
const older = newKey('older')

describe('the master keys of a process', () => {
  it('cannot unwrap under a master key that the process was not given', async () => {
    const wrapped = await older.wrap(privateKey, context)
    const error = await rejectionOf(new MasterKeys(current, [old]).unwrap('local:older', wrapped, context))
    expect(error).toBeInstanceOf(MasterKeyUnreachable)
    expect(error).toMatchObject({
      name: 'MasterKeyUnreachable',
      uri: 'local:older',
      message: 'master key local:older is not available to this process'
    })
  })

  it('do not try one master key after the other', async () => {
    const wrapped = await old.wrap(privateKey, context)
    expectDecryptionError(await rejectionOf(new MasterKeys(current, [old]).unwrap('local:current', wrapped, context)))
  })

  it('unwrap under the current one and under all that are retiring', async () => {
    const keys = new MasterKeys(current, [old, older])
    for (const key of [current, old, older]) {
      const wrapped = await key.wrap(privateKey, context)
      expect(await keys.unwrap(key.uri, wrapped, context)).toEqual(privateKey)
    }
  })

  it('have one for new private keys, the current one', async () => {
    const keys = new MasterKeys(current, [old])
    expect(keys.current.uri).toBe('local:current')
    expect(await current.unwrap(await keys.current.wrap(privateKey, context), context)).toEqual(privateKey)
  })

  it('prefer the current one where a retiring one has the same name', async () => {
    const keys = new MasterKeys(current, [newKey('current')])
    expect(await keys.unwrap('local:current', await current.wrap(privateKey, context), context)).toEqual(privateKey)
  })
})

function newKey(id: string): LocalMasterKey {
  return new LocalMasterKey(id, masterSecretFrom(randomBytes(32)))
}
