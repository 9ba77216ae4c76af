import { randomBytes, randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { masterSecretFrom } from '../../../src/crypto/keys.js'
import { createLogger } from '../../../src/log.js'
import { GuardedMasterKey } from '../../../src/master-key/guarded-master-key.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import type { CallOptions, PrivateKeyToWrap } from '../../../src/master-key/master-key.js'
import { MasterKeyError, type MasterKeyErrorKind } from '../../../src/master-key/master-key-error.js'
import { rejectionOf } from '../failures.js'

const limits = { timeoutMs: 1000, retryAfterMs: 2000 }
const keys = [{ privateKey: randomBytes(64), context: { keyId: randomUUID(), fingerprint: randomBytes(32) } }]

/** A key whose service does as it is told. */
class MoodyMasterKey extends LocalMasterKey {
  mood: 'well' | 'silent' | MasterKeyErrorKind = 'well'
  calls = 0
  aborted = 0

  override async wrap(keys: readonly PrivateKeyToWrap[], options: CallOptions = {}) {
    this.calls++
    options.signal?.addEventListener('abort', () => this.aborted++)
    if (this.mood === 'silent') return await new Promise<never>(() => {})
    if (this.mood !== 'well') throw new MasterKeyError(this.mood, this.uri, 'as told')
    return await super.wrap(keys)
  }
}

let key: MoodyMasterKey
let guarded: GuardedMasterKey
beforeEach(() => {
  vi.useFakeTimers()
  key = new MoodyMasterKey('moody', masterSecretFrom(randomBytes(32)))
  guarded = new GuardedMasterKey(key, limits, createLogger('silent'))
})
afterEach(() => vi.useRealTimers())

describe('a guarded master key', () => {
  it('gives up a call without an answer in time, and tells the service’s client to stop', async () => {
    key.mood = 'silent'
    const failure = rejectionOf(guarded.wrap(keys))
    await vi.advanceTimersByTimeAsync(limits.timeoutMs)
    expect(await failure).toMatchObject({ kind: 'UNREACHABLE', uri: 'local:moody' })
    expect(key.aborted).toBe(1)
  })

  it('answers at once in an outage, without asking the service', async () => {
    await beginOutage()
    const asked = key.calls
    for (let call = 0; call < 20; call++) {
      expect(await rejectionOf(guarded.wrap(keys))).toMatchObject({ kind: 'UNREACHABLE' })
    }
    expect(key.calls).toBe(asked)
  })

  it('lets one call try whether an outage is over, and keeps nobody waiting for it', async () => {
    await beginOutage()
    key.mood = 'silent'
    const asked = key.calls
    await vi.advanceTimersByTimeAsync(limits.retryAfterMs)
    const trying = rejectionOf(guarded.wrap(keys))
    const others = [rejectionOf(guarded.wrap(keys)), rejectionOf(guarded.wrap(keys))]
    for (const other of others) expect(await other).toMatchObject({ kind: 'UNREACHABLE' })
    expect(key.calls).toBe(asked + 1)
    await vi.advanceTimersByTimeAsync(limits.timeoutMs)
    expect(await trying).toMatchObject({ kind: 'UNREACHABLE' })
  })

  it('heals by itself when the service is back', async () => {
    await beginOutage()
    key.mood = 'well'
    await vi.advanceTimersByTimeAsync(limits.retryAfterMs)
    for (let call = 0; call < 3; call++) expect(await guarded.wrap(keys)).toHaveLength(1)
  })

  it('turns calls away when too many wait already', async () => {
    key.mood = 'silent'
    const failures = Array.from({ length: 200 }, () => rejectionOf(guarded.wrap(keys)))
    expect(await Promise.race(failures)).toMatchObject({
      kind: 'UNREACHABLE',
      message: 'master key local:moody: too many calls wait for it'
    })
    expect(key.calls).toBe(32)
    await vi.advanceTimersByTimeAsync(limits.timeoutMs * 3)
    expect(await Promise.all(failures)).toHaveLength(200)
  })

  it('still lets requests through while background work fills its own places', async () => {
    key.mood = 'silent'
    for (let call = 0; call < 10; call++) void rejectionOf(guarded.wrap(keys, { background: true }))
    key.mood = 'well'
    expect(await guarded.wrap(keys)).toHaveLength(1)
    expect(key.calls).toBe(5)
  })

  it.each(['REFUSED', 'WRONG_KEY', 'DAMAGED'] as const)(
    'does not take %s for an outage, however often',
    async (kind) => {
      key.mood = kind
      for (let call = 0; call < 20; call++) expect(await rejectionOf(guarded.wrap(keys))).toMatchObject({ kind })
      expect(key.calls).toBe(20)
    }
  )
})

async function beginOutage(): Promise<void> {
  key.mood = 'UNREACHABLE'
  for (let call = 0; call < 5; call++) expect(await rejectionOf(guarded.wrap(keys))).toMatchObject({ kind: key.mood })
}
