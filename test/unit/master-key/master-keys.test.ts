import { randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { masterSecretFrom } from '../../../src/crypto/keys.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import type { MasterKey, WrappedPrivateKey } from '../../../src/master-key/master-key.js'
import { MasterKeyError } from '../../../src/master-key/master-key-error.js'
import { MasterKeys } from '../../../src/master-key/master-keys.js'
import { rejectionOf } from '../failures.js'

const context = { keyId: randomUUID(), fingerprint: randomBytes(32) }
const privateKey = randomBytes(1200)
const current = newKey('current')
const old = newKey('old')
const older = newKey('older')

describe('the master keys of a process', () => {
  it('cannot unwrap under a master key that the process was not given', async () => {
    const wrapped = await wrapWith(older)
    const error = await rejectionOf(new MasterKeys(current, [old]).unwrap('local:older', [wrapped]))
    expect(error).toBeInstanceOf(MasterKeyError)
    expect(error).toMatchObject({
      kind: 'UNREACHABLE',
      uri: 'local:older',
      message: 'master key local:older: not available to this process'
    })
  })

  it('do not try one master key after the other', async () => {
    const wrapped = await wrapWith(old)
    const [error] = await new MasterKeys(current, [old]).unwrap('local:current', [wrapped])
    expect(error).toMatchObject({ kind: 'WRONG_KEY', uri: 'local:current' })
  })

  it('unwrap under the current one and under all that are retiring', async () => {
    const keys = new MasterKeys(current, [old, older])
    for (const key of [current, old, older]) {
      expect(await keys.unwrap(key.uri, [await wrapWith(key)])).toEqual([privateKey])
    }
  })

  it('have one for new private keys, the current one', async () => {
    const keys = new MasterKeys(current, [old])
    expect(keys.current.uri).toBe('local:current')
    expect(await current.unwrap([await wrapWith(keys.current)])).toEqual([privateKey])
  })

  it('prefer the current one where a retiring one has the same name', async () => {
    const keys = new MasterKeys(current, [newKey('current')])
    expect(await keys.unwrap('local:current', [await wrapWith(current)])).toEqual([privateKey])
  })
})

async function wrapWith(key: MasterKey): Promise<WrappedPrivateKey> {
  const [wrapping] = await key.wrap([{ privateKey, context }])
  if (!wrapping) throw new Error('nothing was wrapped')
  return { wrapped: wrapping.wrapped, context }
}

function newKey(id: string): LocalMasterKey {
  return new LocalMasterKey(id, masterSecretFrom(randomBytes(32)))
}
