import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type CursorKind, decodeCursor, encodeCursor } from '../../../src/graphql/cursor.js'
import { expectBadUserInput, thrownBy } from '../failures.js'

const scope = randomUUID()
const cursor = encodeCursor('message', scope, '1234')

describe('a cursor', () => {
  it.each<CursorKind>(['event', 'member', 'conversation', 'key', 'key-event'])(
    'is refused in the place of one of kind "%s"',
    (kind) => {
      expectRefused(() => decodeCursor(kind, scope, 'after', cursor))
    }
  )

  it('is refused in another conversation', () => {
    expectRefused(() => decodeCursor('message', randomUUID(), 'after', cursor))
  })

  it.each<[CursorKind, CursorKind]>([
    ['key-event', 'event'],
    ['event', 'key-event'],
    ['key-event', 'message'],
    ['message', 'key-event'],
    ['key', 'key-event']
  ])('of kind "%s" is refused by the list of kind "%s", of which it could be a position', (kind, list) => {
    const position = kind === 'key' ? `${scope} 7` : '7'
    expectRefused(() => decodeCursor(list, scope, 'after', encodeCursor(kind, scope, position)))
  })

  it("of one conversation's key events is refused in the list of all, and the other way round", () => {
    expectRefused(() => decodeCursor('key-event', '', 'after', encodeCursor('key-event', scope, '7')))
    expectRefused(() => decodeCursor('key-event', scope, 'after', encodeCursor('key-event', '', '7')))
  })

  it('is refused with any character replaced', () => {
    for (let index = 0; index < cursor.length; index++) {
      for (const character of ['A', 'B', '-', '_', '9']) {
        if (cursor[index] === character) continue
        const mangled = cursor.slice(0, index) + character + cursor.slice(index + 1)
        expectRefused(() => decodeCursor('message', scope, 'after', mangled))
      }
    }
  })

  it('is refused when it is cut off at any length', () => {
    for (let length = 0; length < cursor.length; length++) {
      expectRefused(() => decodeCursor('message', scope, 'after', cursor.slice(0, length)))
    }
  })

  it.each([
    ['padding', `${cursor}=`],
    ['white space', ` ${cursor}`],
    ['a line break', `${cursor}\n`],
    ['what base64 skips', `${cursor.slice(0, 5)}*${cursor.slice(5)}`],
    ['more of a position', `${cursor}MQ`]
  ])('is refused with %s added', (_, text) => {
    expectRefused(() => decodeCursor('message', scope, 'after', text))
  })

  it.each(['1234', '', 'null', randomUUID(), '../../etc', 'é'])('is not the text %j', (text) => {
    expectRefused(() => decodeCursor('message', scope, 'after', text))
  })

  it('is refused of an earlier or later version', () => {
    const bytes = Buffer.from(cursor, 'base64url')
    expect(bytes[0]).toBe(1)
    for (const version of [0, 2, 255]) {
      const text = Buffer.concat([Uint8Array.of(version), bytes.subarray(1)]).toString('base64url')
      expectRefused(() => decodeCursor('message', scope, 'after', text))
    }
  })

  it('names the argument at fault', () => {
    expectRefused(() => decodeCursor('member', scope, 'before', cursor), 'before')
  })

  it.each<[CursorKind, string]>([
    ['message', ''],
    ['message', '-1'],
    ['message', '1.5'],
    ['message', '1e3'],
    ['message', '1 or true'],
    ['message', '1\n'],
    ['message', '2147483648'],
    ['message', '0001'],
    ['event', ''],
    ['event', '00'],
    ['event', 'NaN'],
    ['event', '1000000000000000'],
    ['member', '7'],
    ['member', 'yesterday alice'],
    ['member', '2026-11-01T00:00:00.000Z '],
    ['member', '2026-11-01T00:00:00.000Z'],
    // Times that a Date holds, and PostgreSQL does not; and other spellings of the same time.
    ['member', '-271821-04-20T00:00:00.000Z alice'],
    ['member', '+275760-09-13T00:00:00.000Z alice'],
    ['member', '2026-11-01T00:00:00Z alice'],
    ['member', '2026-11-01T24:00:00.000Z alice'],
    ['member', '2026-02-30T00:00:00.000Z alice'],
    ['member', '1 alice'],
    ['conversation', '7'],
    ['conversation', '2026-11-01T00:00:00.000Z alice'],
    ['conversation', `yesterday ${scope}`],
    ['conversation', `2026-11-01T00:00:00.000Z ${scope}; drop table members`],
    ['key', ''],
    ['key', '7'],
    ['key', scope],
    ['key', `${scope} `],
    ['key', `${scope} -1`],
    ['key', `${scope} 1.5`],
    ['key', `${scope} 1e3`],
    ['key', `${scope} 1\n`],
    ['key', `${scope} 1 1`],
    ['key', `${scope}  1`],
    ['key', `${scope}:1`],
    ['key', `${scope}\t1`],
    ['key', ` ${scope} 1`],
    ['key', `${scope} 01`],
    ['key', `${scope} 1000000000`],
    ['key', `${scope} 1; drop table members`],
    ['key', `${scope.replaceAll('-', '')} 1`],
    ['key', `${'x'.repeat(36)} 1`],
    ['key', `${scope.slice(1)}é 1`],
    ['key-event', ''],
    ['key-event', '01'],
    ['key-event', Array(15).fill('1').join(' ')],
    ['key-event', Array(17).fill('1').join(' ')],
    ['key-event', `${Array(16).fill('1').join(' ')} `],
    ['key-event', '-1'],
    ['key-event', '1.5'],
    ['key-event', '1e3'],
    ['key-event', '0x10'],
    ['key-event', '1\n'],
    ['key-event', 'NaN'],
    ['key-event', '1 or true'],
    ['key-event', `${scope} 1`],
    ['key-event', '1000000000000000']
  ])('of kind "%s" is refused with a right check over the bad position %j', (kind, position) => {
    expectRefused(() => decodeCursor(kind, scope, 'after', encodeCursor(kind, scope, position)))
  })

  it.each<[CursorKind, string]>([
    ['message', '0'],
    ['message', '999999999'],
    ['event', '0'],
    ['event', '999999999999999'],
    ['member', '2026-11-01T00:00:00.000Z alice'],
    ['member', '2026-11-01T00:00:00.000Z zoë the 2nd ✓'],
    ['conversation', `2026-11-01T00:00:00.000Z ${scope}`],
    ['key', `${scope} 1`],
    ['key', `${scope} 999999999`],
    ['key-event', '0'],
    ['key-event', '999999999999999'],
    ['key-event', Array(16).fill('7').join(' ')]
  ])('of kind "%s" gives the position %j back to the list that it came from', (kind, position) => {
    const encoded = encodeCursor(kind, scope, position)
    expect(encoded).toMatch(/^[A-Za-z0-9_-]+$/)
    expect(decodeCursor(kind, scope, 'after', encoded)).toBe(position)
  })

  it('stays the same for the same place', () => {
    expect(encodeCursor('message', scope, '1234')).toBe(cursor)
  })

  it('is refused when a part of its position was moved into the scope', () => {
    const bytes = Buffer.from(encodeCursor('conversation', 'alice', '1,2'), 'base64url')
    const moved = Buffer.concat([bytes.subarray(0, -3), Buffer.from('2')]).toString('base64url')
    expectRefused(() => decodeCursor('conversation', 'alice,1', 'after', moved))
  })
})

function expectRefused(decode: () => unknown, field = 'after'): void {
  const message = 'This is not a cursor of this list. Pass one on exactly as it was received.'
  expectBadUserInput(thrownBy(decode), field, message)
}
