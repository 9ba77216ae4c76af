import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { OpenedKeys } from '../../../src/conversation-key/opened-keys.js'

const TTL_MS = 1000
let nowMs: number

beforeEach(() => {
  nowMs = 1
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  // The cache reads this clock.
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('opened keys', () => {
  it('let go of all of one conversation and of nothing else', () => {
    const keys = opened(10)
    for (const id of ['a:1', 'a:2', 'b:1']) keys.set(id, { id })
    keys.deleteConversation('a')
    expect(present(keys, ['a:1', 'a:2', 'b:1'])).toEqual(['b:1'])
  })

  it('let go of a conversation whose key was replaced meanwhile', () => {
    const keys = opened(10)
    keys.set('a:1', { id: 'before' })
    keys.set('a:1', { id: 'after' })
    keys.deleteConversation('a')
    expect(keys.get('a:1')).toBeUndefined()
  })

  it('let go of a conversation some of whose keys had to make room', () => {
    const keys = opened(2)
    for (const id of ['a:1', 'a:2', 'b:1', 'a:3']) keys.set(id, { id })
    keys.deleteConversation('a')
    expect(present(keys, ['a:1', 'a:2', 'a:3', 'b:1'])).toEqual(['b:1'])
  })

  it('let go of what is left of a conversation of which one key had to make room', () => {
    const keys = opened(3)
    for (const id of ['a:1', 'a:2', 'b:1', 'b:2']) keys.set(id, { id })
    keys.deleteConversation('a')
    expect(present(keys, ['a:1', 'a:2', 'b:1', 'b:2'])).toEqual(['b:1', 'b:2'])
  })

  it('let go of a key only while it is the one that is meant', () => {
    const keys = opened(10)
    const before = { id: 'before' }
    const after = { id: 'after' }
    keys.set('a:1', before)
    keys.set('a:1', after)
    keys.deleteIfStill('a:1', before)
    expect(keys.get('a:1')).toBe(after)
    keys.deleteIfStill('a:1', after)
    expect(keys.get('a:1')).toBeUndefined()
  })

  it('are gone after their time, and can be kept anew', () => {
    const keys = opened(10)
    keys.set('a:1', { id: 'a:1' })
    nowMs += TTL_MS + 1
    vi.advanceTimersByTime(TTL_MS + 1)
    keys.purgeStale()
    expect(keys.get('a:1')).toBeUndefined()
    keys.set('a:2', { id: 'a:2' })
    keys.deleteConversation('a')
    expect(keys.get('a:2')).toBeUndefined()
  })
})

function opened(max: number): OpenedKeys<{ id: string }> {
  return new OpenedKeys({ max, ttl: TTL_MS })
}

function present(keys: OpenedKeys<{ id: string }>, ids: readonly string[]): string[] {
  return ids.filter((id) => keys.get(id) !== undefined)
}
