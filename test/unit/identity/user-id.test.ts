import { describe, expect, it } from 'vitest'
import { SCHEDULER } from '../../../src/conversation-key/key-events.js'
import { isStorableText, isUserId, requireUserId } from '../../../src/identity/user-id.js'
import { expectBadUserInput, thrownBy } from '../failures.js'

describe('a user id', () => {
  it.each([
    ['empty', ''],
    ['256 bytes long', 'x'.repeat(256)],
    ['256 bytes long in 128 characters', 'é'.repeat(128)],
    ['one with U+0000', 'a\u0000b'],
    ['one with a line break', 'alice\n'],
    ['one with U+007F', '\u007falice'],
    ['one with a control character of Latin-1', 'al\u009fice'],
    ['one with a lone surrogate', 'alice\ud83d']
  ])('is refused when it is %s', (_, id) => {
    expect(isUserId(id)).toBe(false)
    const message = 'A user id has 1 to 255 bytes and no control characters.'
    expectBadUserInput(
      thrownBy(() => requireUserId('userIds.0', id)),
      'userIds.0',
      message
    )
  })

  it('is refused when it is the name that the audit trail has for the schedule', () => {
    expect(isUserId(SCHEDULER)).toBe(false)
    expect(thrownBy(() => requireUserId('memberIds.1', SCHEDULER))).toMatchObject({
      code: 'BAD_USER_INPUT',
      field: 'memberIds.1'
    })
  })

  it.each(['Scheduler', 'scheduler1', 'the scheduler', 'scheduler '])('is not reserved when it is %j', (id) => {
    expect(isUserId(id)).toBe(true)
  })

  it.each([
    'a',
    ' ',
    'x'.repeat(255),
    `${'é'.repeat(127)}x`,
    'auth0|5f7c8ec7c33c6c004bbafe82',
    'https://id.example.com/users/7',
    'zoë@example.com',
    'Alice',
    '😀'
  ])('is taken as it is when it is %j', (id) => {
    expect(isUserId(id)).toBe(true)
    expect(requireUserId('userId', id)).toBe(id)
  })
})

describe('text that the database can hold', () => {
  it('has no control characters and no lone surrogates', () => {
    for (let code = 0; code < 0x20; code++) expect(isStorableText(String.fromCharCode(code)), `${code}`).toBe(false)
    for (let code = 0x7f; code < 0xa0; code++) expect(isStorableText(String.fromCharCode(code)), `${code}`).toBe(false)
    expect(isStorableText('\udc00')).toBe(false)
  })

  it('may be empty, long, and of any language', () => {
    for (const text of ['', 'x'.repeat(10_000), 'Müller', 'Ελλάδα', '東京', '👩‍👩‍👧', '\u200b']) {
      expect(isStorableText(text), text).toBe(true)
    }
  })
})
