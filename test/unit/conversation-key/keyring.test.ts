import { randomUUID } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Keyring } from '../../../src/conversation-key/keyring.js'
import { type DataKey, generateDataKey, masterSecretFrom } from '../../../src/crypto/keys.js'
import type { Database } from '../../../src/database/database.js'
import { createLogger } from '../../../src/log.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import { MasterKeys } from '../../../src/master-key/master-keys.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const TTL_MS = 60_000

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
  return new Keyring({ database, masterKeys, log: createLogger('silent') }, { ttlMs: TTL_MS, max: 10 })
}

/** Held by nothing but the keyring when this returns. */
function rememberIn(keyring: Keyring): WeakRef<DataKey> {
  const key = generateDataKey()
  keyring.remember(randomUUID(), randomUUID(), key)
  return new WeakRef(key)
}

async function isInMemory(key: WeakRef<DataKey>): Promise<boolean> {
  // What a WeakRef has shown or was made for is kept until the present job of the event loop is over.
  await new Promise((resolve) => setImmediate(resolve))
  collectGarbage()
  return key.deref() !== undefined
}
