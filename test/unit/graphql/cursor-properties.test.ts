import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BadUserInput } from '../../../src/errors.js'
import { type CursorKind, decodeCursor, encodeCursor } from '../../../src/graphql/cursor.js'
import { isUserId } from '../../../src/identity/user-id.js'
import { anyText, check, cpuMs, textDamages } from '../../support/properties.js'

const KINDS: CursorKind[] = ['message', 'event', 'member', 'conversation', 'key', 'key-event']
const kind = fc.constantFrom(...KINDS)
const scope = fc.oneof(fc.uuid(), fc.constant(''), fc.string({ unit: 'grapheme', maxLength: 40 }))
/** Those of rows: PostgreSQL holds them from 4713 BC on, the program since it exists. */
const time = fc.date({ min: new Date('2020-01-01'), max: new Date('2199-12-31'), noInvalidDate: true })
const userId = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter(isUserId)
const count = (max: number) => fc.nat(max).map(String)

const POSITIONS: Record<CursorKind, fc.Arbitrary<string>> = {
  message: count(2 ** 31 - 1),
  event: fc.maxSafeNat().map((number) => String(number % 1e15)),
  member: fc.tuple(time, userId).map(([at, id]) => `${at.toISOString()} ${id}`),
  conversation: fc.tuple(time, fc.uuid()).map(([at, id]) => `${at.toISOString()} ${id}`),
  key: fc.tuple(fc.uuid(), count(999_999_999)).map(([id, version]) => `${id} ${version}`),
  'key-event': fc.oneof(
    count(1e9),
    fc.array(count(1e9), { minLength: 16, maxLength: 16 }).map((places) => places.join(' '))
  )
}
const position = kind.chain((of) => POSITIONS[of].map((text) => ({ kind: of, text })))

/** What is nearly a position: other spellings of numbers and times above all. */
const nearlyPosition = fc.oneof(
  position.chain(({ text }) => textDamages.map((spoil) => spoil(text))),
  fc.tuple(fc.constantFrom('0', '00', '+', '-', ' ', '0x'), fc.nat()).map(([before, number]) => `${before}${number}`),
  fc
    .tuple(
      fc.constantFrom('1', '2026', '2026-11-01', '-271821-04-20T00:00:00.000Z', '+275760-09-13T00:00:00.000Z', 'May'),
      fc.oneof(fc.uuid(), fc.constant('alice'))
    )
    .map(([at, id]) => `${at} ${id}`),
  anyText()
)

describe('a cursor', () => {
  it('gives back the position that it was made of', () => {
    check(
      fc.property(position, scope, (of, list) => {
        expect(decodeCursor(of.kind, list, 'after', encodeCursor(of.kind, list, of.text))).toBe(of.text)
      })
    )
  })

  it('is refused once it is damaged', () => {
    check(
      fc.property(position, scope, textDamages, (of, list, spoil) => {
        const cursor = encodeCursor(of.kind, list, of.text)
        const spoiled = spoil(cursor)
        fc.pre(spoiled !== cursor)
        expect(decodedOrRefused(of.kind, list, spoiled)).toBeNull()
      })
    )
  })

  it('is refused by any other list', () => {
    check(
      fc.property(position, scope, kind, scope, (of, list, otherKind, otherList) => {
        fc.pre(of.kind !== otherKind || list !== otherList)
        expect(decodedOrRefused(otherKind, otherList, encodeCursor(of.kind, list, of.text))).toBeNull()
      })
    )
  })

  it('is not any other text', () => {
    check(
      fc.property(kind, scope, anyText(), (of, list, text) => {
        expect(decodedOrRefused(of, list, text)).toBeNull()
      })
    )
  })

  it('that somebody has made is refused, or is a position in its one spelling, such as rows have', () => {
    check(
      fc.property(kind, scope, nearlyPosition, (of, list, text) => {
        const decoded = decodedOrRefused(of, list, encodeCursor(of, list, text))
        if (decoded !== null) expect(respelled(of, decoded)).toBe(text)
      }),
      2000
    )
  })

  it('is refused in time that grows with its length and not faster', () => {
    for (const character of ['A', '1', ' ', '\u00e9', '=']) {
      const long = character.repeat(1_000_000)
      expect(cpuMs(() => KINDS.map((of) => decodedOrRefused(of, '', long)))).toBeLessThan(5000)
      expect(cpuMs(() => KINDS.map((of) => decodedOrRefused(of, '', encodeCursor(of, '', long))))).toBeLessThan(5000)
    }
  })
})

function decodedOrRefused(of: CursorKind, list: string, cursor: string): string | null {
  try {
    return decodeCursor(of, list, 'after', cursor)
  } catch (error) {
    expect(error).toBeInstanceOf(BadUserInput)
    return null
  }
}

/** A position written anew from what a list makes of it. */
function respelled(of: CursorKind, text: string): string {
  const [first = '', ...rest] = text.split(' ')
  switch (of) {
    case 'message':
    case 'event':
    case 'key-event':
      return text.split(' ').map(Number).join(' ')
    case 'member':
    case 'conversation': {
      const at = new Date(first)
      expect(at.getUTCFullYear()).toBeGreaterThanOrEqual(0)
      expect(at.getUTCFullYear()).toBeLessThanOrEqual(9999)
      return [at.toISOString(), ...rest].join(' ')
    }
    case 'key':
      return [first, Number(rest[0])].join(' ')
  }
}
