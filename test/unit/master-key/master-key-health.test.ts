import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { MasterKey } from '../../../src/master-key/master-key.js'
import { MasterKeyError } from '../../../src/master-key/master-key-error.js'
import { MasterKeyHealth } from '../../../src/master-key/master-key-health.js'
import { MasterKeys } from '../../../src/master-key/master-keys.js'

let nowMs: number
beforeEach(() => {
  vi.useFakeTimers()
  nowMs = 1
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** A master key whose check does as it is told. */
function keyCalled(uri: string) {
  const check = vi.fn(async () => {})
  return { uri, check, key: { uri, check } as unknown as MasterKey }
}

const refused = (uri: string) => new MasterKeyError('REFUSED', uri, 'as told')

describe('the health of master keys', () => {
  it('is told for each of them, and which one wraps', async () => {
    const [current, old] = [keyCalled('local:current'), keyCalled('local:old')]
    old.check.mockRejectedValue(refused('local:old'))
    const health = new MasterKeyHealth(new MasterKeys(current.key, [old.key]))
    expect(await health.states()).toEqual([
      { uri: 'local:old', current: false, problem: { kind: 'REFUSED', reason: 'master key local:old: as told' } },
      { uri: 'local:current', current: true, problem: null }
    ])
  })

  it('does not repeat the words of a failure that is none of a master key', async () => {
    const broken = keyCalled('local:a')
    broken.check.mockRejectedValue(new Error('a secret'))
    expect(await new MasterKeyHealth(new MasterKeys(broken.key)).states()).toMatchObject([
      { problem: { kind: 'UNREACHABLE', reason: 'the check itself failed' } }
    ])
  })

  it('is looked at again after five seconds and not before', async () => {
    const one = keyCalled('local:a')
    const health = new MasterKeyHealth(new MasterKeys(one.key))
    await health.states()
    nowMs += 4999
    one.check.mockRejectedValue(refused('local:a'))
    expect(await health.states()).toMatchObject([{ problem: null }])
    expect(one.check).toHaveBeenCalledTimes(1)
    nowMs += 1
    expect(await health.states()).toMatchObject([{ problem: { kind: 'REFUSED' } }])
    expect(one.check).toHaveBeenCalledTimes(2)
  })

  it('is slow where there is no answer in time, and what was found before where there was one', async () => {
    const one = keyCalled('local:a')
    const { promise, resolve } = Promise.withResolvers<void>()
    one.check.mockReturnValue(promise)
    const health = new MasterKeyHealth(new MasterKeys(one.key))
    const asking = health.states()
    await vi.advanceTimersByTimeAsync(699)
    expect(await Promise.race([asking, 'waiting'])).toBe('waiting')
    await vi.advanceTimersByTimeAsync(1)
    expect(await asking).toMatchObject([
      { problem: { kind: 'UNREACHABLE', reason: 'master key local:a: slow to answer' } }
    ])
    resolve()
    expect(await health.states()).toMatchObject([{ problem: null }])
    nowMs += 5000
    one.check.mockReturnValue(new Promise(() => {}))
    const again = health.states(100)
    await vi.advanceTimersByTimeAsync(100)
    expect(await again).toMatchObject([{ problem: null }])
  })

  it('leaves no timer behind', async () => {
    await new MasterKeyHealth(new MasterKeys(keyCalled('local:a').key)).states()
    expect(vi.getTimerCount()).toBe(0)
  })
})
