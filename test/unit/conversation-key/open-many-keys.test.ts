import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { Keyring } from '../../../src/conversation-key/keyring.js'
import { newDataKey } from '../../../src/conversation-key/new-data-key.js'
import { fingerprint, generateRsaKeyPair, type KeyPairBytes } from '../../../src/crypto/key-transport.js'
import { masterSecretFrom } from '../../../src/crypto/keys.js'
import type { Database } from '../../../src/database/database.js'
import { createLogger } from '../../../src/log.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import { MasterKeyError } from '../../../src/master-key/master-key-error.js'
import { MasterKeys } from '../../../src/master-key/master-keys.js'
import { Metrics } from '../../../src/metrics/metrics.js'

/** Data keys of many conversations, as a page over all of them needs them. */

let pair: KeyPairBytes
beforeAll(async () => {
  pair = await generateRsaKeyPair(2048)
})

describe('data keys of many conversations', () => {
  it('that cannot be opened do not keep the others closed', async () => {
    const { rows, keyring } = await keyringWith(6, (row, index) => {
      if (index === 0) row.wrappedPrivateKey[40] = Number(row.wrappedPrivateKey[40]) ^ 1
      if (index === 1) row.wrappedKey[40] = Number(row.wrappedKey[40]) ^ 1
      if (index === 2) row.masterKey = 'local:unknown'
      if (index === 3) row.state = 'DESTROYED'
      if (index === 4) row.state = 'PENDING_DESTRUCTION'
    })
    const opened = await keyring.open([...rows, { conversationId: randomUUID(), dataKeyId: randomUUID() }])
    const damaged = { state: 'UNAVAILABLE', retry: false }
    expect(opened).toEqual([
      damaged,
      damaged,
      { state: 'UNAVAILABLE', retry: true },
      { state: 'DESTROYED' },
      damaged,
      { state: 'OPEN', dataKey: expect.anything() },
      damaged
    ])
  })

  it('are all out of reach where their master key is, and only those', async () => {
    const { rows, keyring, old } = await keyringWith(4, (row, index) => {
      if (index < 2) row.masterKey = 'local:old'
    })
    vi.spyOn(old, 'unwrap').mockRejectedValue(new MasterKeyError('UNREACHABLE', old.uri, 'no answer'))
    const opened = await keyring.open(rows)
    expect(opened.map(({ state }) => state)).toEqual(['UNAVAILABLE', 'UNAVAILABLE', 'OPEN', 'OPEN'])
  })

  it('take one look-up, and one call to the master key for a hundred of them', async () => {
    const { rows, keyring, lookUp, current } = await keyringWith(150)
    const unwrap = vi.spyOn(current, 'unwrap')
    const opened = await keyring.open([...rows, ...rows])
    expect(opened.map(({ state }) => state)).toEqual(Array(300).fill('OPEN'))
    expect(unwrap.mock.calls.map(([keys]) => keys.length)).toEqual([100, 50])
    expect(lookUp).toHaveBeenCalledTimes(1)
    await keyring.open(rows)
    expect(lookUp).toHaveBeenCalledTimes(1)
  })
})

/** A keyring over so many conversations, each with a data key of its own. */
async function keyringWith(count: number, change: (row: StoredRow, index: number) => void = () => {}) {
  const current = newMasterKey('current', 7)
  const old = newMasterKey('old', 8)
  const rows = await Promise.all(Array.from({ length: count }, () => storedRow(current)))
  for (const [index, row] of rows.entries()) change(row, index)
  const lookUp = vi.fn(async () => rows)
  const deps = {
    database: { lookUp } as unknown as Database,
    masterKeys: new MasterKeys(current, [old]),
    metrics: new Metrics(),
    log: createLogger('silent')
  }
  return { rows, lookUp, current, old, keyring: new Keyring(deps, { ttlMs: 60_000, max: 1000 }) }
}

type StoredRow = Awaited<ReturnType<typeof storedRow>>

async function storedRow(masterKey: LocalMasterKey) {
  const keyId = randomUUID()
  const context = { keyId, fingerprint: fingerprint(pair.publicKey) }
  const [wrapping] = await masterKey.wrap([{ privateKey: pair.privateKey, context }])
  if (!wrapping) throw new Error('nothing was wrapped')
  const { id: dataKeyId, wrappedKey } = newDataKey(pair.publicKey, new Metrics())
  return {
    conversationId: randomUUID(),
    dataKeyId,
    wrappedKey,
    version: 1,
    state: 'ACTIVE',
    keyId,
    publicKey: pair.publicKey,
    wrappedPrivateKey: wrapping.wrapped,
    masterKey: masterKey.uri
  }
}

function newMasterKey(id: string, byte: number): LocalMasterKey {
  return new LocalMasterKey(id, masterSecretFrom(Buffer.alloc(32, byte)))
}
