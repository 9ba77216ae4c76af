import { describe, expect, it } from 'vitest'
import { ActivityLimit, parseActivity } from '../../../src/delivery/activity.js'
import { TestClock } from '../../support/test-clock.js'

const bob = { id: 'bob', name: 'Bob', scopes: new Set<string>(), expiresAt: null }

describe('who types', () => {
  it('is refused an eleventh time in five seconds in one conversation, and not in another', async () => {
    const limit = new ActivityLimit(new TestClock())
    for (let count = 0; count < 10; count++) expect(await limit.typingWaitMs(bob, 'one')).toBe(0)
    expect(await limit.typingWaitMs(bob, 'one')).toBe(500)
    expect(await limit.typingWaitMs(bob, 'another')).toBe(0)
  })

  it('is refused a hundred and first time wherever it is, until there is room again, and nobody else is', async () => {
    const clock = new TestClock()
    const limit = new ActivityLimit(clock)
    for (let count = 0; count < 100; count++) expect(await limit.typingWaitMs(bob, `${count}`)).toBe(0)
    expect(await limit.typingWaitMs(bob, 'another')).toBe(50)
    expect(await limit.typingWaitMs({ ...bob, id: 'carol' }, 'another')).toBe(0)
    clock.advance(50)
    expect(await limit.typingWaitMs(bob, 'another')).toBe(0)
  })

  it('is refused for it however many others have been seen meanwhile in however many conversations', async () => {
    const limit = new ActivityLimit(new TestClock())
    for (let count = 0; count < 100; count++) await limit.typingWaitMs(bob, `${count}`)
    // So many buckets are kept.
    for (let count = 0; count < 100_000; count++) await limit.waitMs({ ...bob, id: 'carol' }, `${count}`)
    expect(await limit.typingWaitMs(bob, 'another')).toBe(50)
  })
})

describe('what is signalled as activity', () => {
  it.each([
    '',
    'nothing like it',
    '{',
    'null',
    '1',
    '[]',
    '{}',
    '{"kind":"TYPING","userId":"bob"}',
    '{"kind":"TYPING","userId":"bob","typing":"yes"}',
    '{"kind":"TYPING","userId":"","typing":true}',
    '{"kind":"TYPING","userId":"b\\u0000b","typing":true}',
    '{"kind":"READ","userId":"bob","typing":true}',
    '{"kind":"READ","userId":"bob","sequence":-1}',
    '{"kind":"READ","userId":"bob","sequence":1.5}',
    '{"kind":"READ","userId":"bob","sequence":2147483648}',
    '{"kind":"SLEEPING","userId":"bob"}'
  ])('is none where it is %j', (payload) => {
    expect(parseActivity(payload)).toBeNull()
  })

  it.each([
    { kind: 'TYPING', userId: 'bob smith', typing: false },
    { kind: 'READ', userId: 'bob', sequence: 7 }
  ])('is what it was', (activity) => {
    expect(parseActivity(JSON.stringify(activity))).toEqual(activity)
  })
})
