import { describe, expect, it } from 'vitest'
import { parseActivity } from '../../../src/delivery/activity.js'

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
