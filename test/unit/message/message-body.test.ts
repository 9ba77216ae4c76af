import { describe, expect, it } from 'vitest'
import { requireBody, requireClientMessageId } from '../../../src/message/message-body.js'
import { expectBadUserInput, thrownBy } from '../failures.js'

describe('the body of a message', () => {
  it.each([
    ['a lone high surrogate', 'a\ud83d'],
    ['a lone low surrogate', '\ude00a'],
    ['surrogates in the wrong order', '\ude00\ud83d']
  ])('is refused with %s, which UTF-8 cannot hold', (_, body) => {
    const message = 'The body is not well-formed Unicode: it has a lone surrogate.'
    expectBadUserInput(
      thrownBy(() => requireBody('input.body', body, 100)),
      'input.body',
      message
    )
  })

  it.each(['', ' ', '\n\t \r\n', '\u00a0\u2003\u3000', '\ufeff'])('is refused when it is %j', (body) => {
    const message = 'The body must have a character that is not white space.'
    expectBadUserInput(
      thrownBy(() => requireBody('body', body, 100)),
      'body',
      message
    )
  })

  it.each([
    ['a', 65_537, 65_537],
    ['€', 21_846, 65_538],
    ['😀', 16_385, 65_540]
  ])('is refused over 65536 bytes, as %s many times', (character, count, bytes) => {
    const message = `The body has ${bytes} bytes in UTF-8; at most 65536 are allowed.`
    expectBadUserInput(
      thrownBy(() => requireBody('body', character.repeat(count), 65_536)),
      'body',
      message
    )
  })

  it.each([
    ['a', 65_536],
    ['é', 32_768],
    ['😀', 16_384]
  ])('may have exactly 65536 bytes, as %s many times', (character, count) => {
    expect(requireBody('body', character.repeat(count), 65_536)).toHaveLength(65_536)
  })

  it.each([
    ['  kept\n\n', '20206b6570740a0a'],
    ['e\u0301', '65cc81'],
    ['é', 'c3a9'],
    ['\u0000\u0007', '0007'],
    ['👩‍👩‍👧', 'f09f91a9e2808df09f91a9e2808df09f91a7']
  ])('is kept as it is: %j', (body, utf8) => {
    expect(requireBody('body', body, 100).toString('hex')).toBe(utf8)
  })
})

describe('a client message id', () => {
  it.each([
    ['empty', ''],
    ['129 bytes long', 'x'.repeat(129)],
    ['129 bytes long in fewer characters', `${'é'.repeat(64)}x`],
    ['one with a line break', 'a\nb'],
    ['one with U+0000', 'a\u0000'],
    ['one with a control character of Latin-1', 'a\u0085'],
    ['one with a lone surrogate', 'a\ud800']
  ])('is refused when it is %s', (_, id) => {
    const message = 'A client message id has 1 to 128 bytes and no control characters.'
    expectBadUserInput(
      thrownBy(() => requireClientMessageId('input.clientMessageId', id)),
      'input.clientMessageId',
      message
    )
  })

  it.each(['x', 'x'.repeat(128), 'é'.repeat(64), ' 42 ', '8f14e45f-ceea-467f-a8d2-000000000001'])(
    'is taken as it is when it is %j',
    (id) => {
      expect(requireClientMessageId('id', id)).toBe(id)
    }
  )
})
