import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLogger } from '../../../src/log.js'
import { GuardedMasterKey, guarded } from '../../../src/master-key/guarded-master-key.js'
import type { CallOptions, MasterKey } from '../../../src/master-key/master-key.js'
import { MasterKeyError } from '../../../src/master-key/master-key-error.js'
import { MasterKeys } from '../../../src/master-key/master-keys.js'
import { rejectionOf } from '../failures.js'

let logged: Record<string, unknown>[]
beforeEach(() => {
  logged = []
  vi.useFakeTimers()
})
afterEach(() => vi.useRealTimers())

function logger() {
  const write = (line: Buffer, _: string, done: () => void) => {
    logged.push(JSON.parse(String(line)))
    done()
  }
  return createLogger('info', new Writable({ write }))
}

function keyWith(methods: Partial<MasterKey>): MasterKey {
  return { uri: 'vault:a/b', ...methods } as MasterKey
}

const away = () => Promise.reject(new MasterKeyError('UNREACHABLE', 'vault:a/b', 'no answer'))

describe('a guarded master key passes on', () => {
  it('each of its calls, with what was asked and how', async () => {
    const asked: CallOptions[] = []
    const rewrap = vi.fn(async (_keys: readonly unknown[], options: CallOptions = {}) => {
      asked.push(options)
      return []
    })
    const key = keyWith({
      version: vi.fn(async () => 'v1'),
      wrap: vi.fn(async () => []),
      unwrap: vi.fn(async () => [Buffer.of(1)]),
      rewrapFrom: vi.fn(async () => rewrap),
      check: vi.fn(async () => {}),
      close: vi.fn(async () => {})
    })
    const under = new GuardedMasterKey(key, { timeoutMs: 1000, retryAfterMs: 2000 }, logger())
    expect(await under.version()).toBe('v1')
    expect(await under.wrap([])).toEqual([])
    expect(await under.unwrap([])).toEqual([Buffer.of(1)])
    await under.check()
    const other = keyWith({})
    expect(await (await under.rewrapFrom(other))?.([], { background: true })).toEqual([])
    expect(key.rewrapFrom).toHaveBeenCalledWith(other)
    expect(asked[0]?.background).toBe(true)
    expect(asked[0]?.signal).toBeInstanceOf(AbortSignal)
    await under.close()
    for (const call of [key.version, key.wrap, key.unwrap, key.check, key.close]) expect(call).toHaveBeenCalledTimes(1)
  })

  it('that there is no rewrap by the service', async () => {
    const key = keyWith({ rewrapFrom: async () => null })
    const under = new GuardedMasterKey(key, { timeoutMs: 1000, retryAfterMs: 2000 }, logger())
    expect(await under.rewrapFrom(key)).toBeNull()
  })
})

describe('an outage of a key service', () => {
  it('is told once in the log when it is noticed, and once when it is over', async () => {
    const version = vi.fn<() => Promise<string>>(away)
    const under = new GuardedMasterKey(keyWith({ version }), { timeoutMs: 1000, retryAfterMs: 2000 }, logger())
    for (let call = 0; call < 8; call++) await rejectionOf(under.version())
    expect(logged).toMatchObject([
      { level: 40, masterKey: 'vault:a/b', msg: 'master key is out of reach: calls fail at once' }
    ])
    expect((await rejectionOf(under.version())).message).toBe(
      'master key vault:a/b: did not answer lately; it is tried again every few seconds'
    )
    await vi.advanceTimersByTimeAsync(2000)
    version.mockResolvedValue('v1')
    expect(await under.version()).toBe('v1')
    expect(logged[1]).toMatchObject({ level: 30, masterKey: 'vault:a/b', msg: 'master key is in reach again' })
    expect(logged).toHaveLength(2)
  })

  it('is not tried out by a long call of background work', async () => {
    const version = vi.fn<() => Promise<string>>(away)
    const unwrap = vi.fn(async () => [])
    const under = new GuardedMasterKey(keyWith({ version, unwrap }), { timeoutMs: 1000, retryAfterMs: 2000 }, logger())
    for (let call = 0; call < 5; call++) await rejectionOf(under.version())
    await vi.advanceTimersByTimeAsync(2000)
    await rejectionOf(under.unwrap([], { background: true }))
    expect(unwrap).not.toHaveBeenCalled()
    expect(version).toHaveBeenCalledTimes(6)
    await vi.advanceTimersByTimeAsync(2000)
    version.mockResolvedValue('v1')
    expect(await under.unwrap([], { background: true })).toEqual([])
  })
})

describe('time limits', () => {
  it('of a request are twice that of its service, and of background work five minutes', async () => {
    const silent = () => new Promise<never>(() => {})
    const under = guarded(keyWith({ unwrap: silent }), 1000, logger())
    let done = ''
    void rejectionOf(under.unwrap([])).then(({ message }) => {
      done = message
    })
    await vi.advanceTimersByTimeAsync(1999)
    expect(done).toBe('')
    await vi.advanceTimersByTimeAsync(1)
    expect(done).toBe('master key vault:a/b: no answer in time')
    done = ''
    void rejectionOf(under.unwrap([], { background: true })).then(({ message }) => {
      done = message
    })
    await vi.advanceTimersByTimeAsync(5 * 60_000 - 1)
    expect(done).toBe('')
    await vi.advanceTimersByTimeAsync(1)
    expect(done).toBe('master key vault:a/b: no answer in time')
  })
})

describe('the master keys of a process', () => {
  it('are known by their URIs, and closed together', async () => {
    const close = vi.fn(async () => {})
    const keys = new MasterKeys(keyWith({ uri: 'local:a', close }), [keyWith({ uri: 'local:b', close })])
    expect(keys.uris).toEqual(['local:b', 'local:a'])
    await keys.close()
    expect(close).toHaveBeenCalledTimes(2)
  })
})
