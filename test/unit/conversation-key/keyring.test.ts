import { randomUUID } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Keyring } from '../../../src/conversation-key/keyring.js'
import type * as KeyTransport from '../../../src/crypto/key-transport.js'
import { generateRsaKeyPair, type KeyPairBytes } from '../../../src/crypto/key-transport.js'
import { type DataKey, generateDataKey, masterSecretFrom } from '../../../src/crypto/keys.js'
import type { Database } from '../../../src/database/database.js'
import { createLogger } from '../../../src/log.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import { MasterKeys } from '../../../src/master-key/master-keys.js'
import { Metrics } from '../../../src/metrics/metrics.js'

const imported = vi.hoisted(() => ({ keys: [] as WeakRef<object>[] }))

vi.mock('../../../src/crypto/key-transport.js', async (importOriginal) => {
  const original = await importOriginal<typeof KeyTransport>()
  const importPrivateKey = (der: Buffer) => {
    const key = original.importPrivateKey(der)
    imported.keys.push(new WeakRef(key))
    return key
  }
  return { ...original, importPrivateKey }
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const TTL_MS = 60_000

let pair: KeyPairBytes
beforeAll(async () => {
  pair = await generateRsaKeyPair(2048)
})

let nowMs: number

beforeEach(() => {
  // Not setImmediate: collecting waits for a real turn of the event loop.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] })
  // The cache holds on to the real clock's object, of which faked timers make another. To it the instant 0 is no time.
  nowMs = 1
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

describe('an opened data key', () => {
  it('leaves memory when its time is over, although nobody asks for it again', async () => {
    const keyring = emptyKeyring()
    const key = rememberIn(keyring)
    pass(TTL_MS / 2)
    expect(await isInMemory(key)).toBe(true)
    pass(TTL_MS)
    expect(await isInMemory(key)).toBe(false)
    keyring.close()
  })

  it('leaves memory at once when everything is forgotten', async () => {
    const keyring = emptyKeyring()
    const key = rememberIn(keyring)
    expect(await isInMemory(key)).toBe(true)
    keyring.forgetAll()
    expect(await isInMemory(key)).toBe(false)
    keyring.close()
  })
})

describe('the private key above a data key', () => {
  it('leaves memory when its time is over, although nobody asks for it again', async () => {
    const keyring = keyringOfOne()
    await keyring.open([PLACE])
    expect(imported.keys).toHaveLength(1)
    pass(TTL_MS / 2)
    expect(await isInMemory(imported.keys[0])).toBe(true)
    pass(TTL_MS)
    expect(await isInMemory(imported.keys[0])).toBe(false)
    keyring.close()
  })
})

describe('a closed keyring', () => {
  it('holds no key and no timer', async () => {
    const keyring = emptyKeyring()
    const key = rememberIn(keyring)
    keyring.close()
    expect(await isInMemory(key)).toBe(false)
    pass(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})

function pass(ms: number): void {
  nowMs += ms
  vi.advanceTimersByTime(ms)
}

function emptyKeyring(): Keyring {
  const run = async () => expect.fail('nothing is looked up here')
  const database = { run } as unknown as Database
  const masterKeys = new MasterKeys(new LocalMasterKey('test', masterSecretFrom(Buffer.alloc(32, 7))))
  return new Keyring(
    { database, masterKeys, metrics: new Metrics(), log: createLogger('silent') },
    { ttlMs: TTL_MS, max: 10 }
  )
}

/** Held by nothing but the keyring when this returns. */
function rememberIn(keyring: Keyring): WeakRef<DataKey> {
  const key = generateDataKey()
  keyring.remember(randomUUID(), randomUUID(), key)
  return new WeakRef(key)
}

const PLACE = { conversationId: randomUUID(), dataKeyId: randomUUID() }

/** Over one data key, which it cannot open: what is above it is all that stays. */
function keyringOfOne(): Keyring {
  const row = { ...PLACE, version: 1, state: 'ACTIVE', keyId: randomUUID(), masterKey: 'local:test' }
  const bytes = { wrappedKey: Buffer.alloc(300), wrappedPrivateKey: Buffer.alloc(300), publicKey: Buffer.alloc(300) }
  const database = { lookUp: async () => [{ ...row, ...bytes }] } as unknown as Database
  const masterKey = new LocalMasterKey('test', masterSecretFrom(Buffer.alloc(32, 7)))
  vi.spyOn(masterKey, 'unwrap').mockImplementation(async () => [Buffer.from(pair.privateKey)])
  const deps = { database, masterKeys: new MasterKeys(masterKey), metrics: new Metrics(), log: createLogger('silent') }
  return new Keyring(deps, { ttlMs: TTL_MS, max: 10 })
}

async function isInMemory(key: WeakRef<object> | undefined): Promise<boolean> {
  // What a WeakRef has shown or was made for is kept until the present job of the event loop is over.
  await new Promise((resolve) => setImmediate(resolve))
  collectGarbage()
  return key?.deref() !== undefined
}
