import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BadUserInput } from '../../../src/errors.js'
import {
  decodeMessageId,
  encodeMessageId,
  isConversationId,
  requireConversationId,
  requireMessageId,
  requireOperationId
} from '../../../src/graphql/ids.js'
import { requireUserId } from '../../../src/identity/user-id.js'
import { requireBody, requireClientMessageId } from '../../../src/message/message-body.js'
import { anyText, check, cpuMs, textDamages } from '../../support/properties.js'

const messageKey = fc.record({ conversationId: fc.uuid(), messageId: fc.uuid() })

describe('the id of a message', () => {
  it('gives back what it was made of', () => {
    check(
      fc.property(messageKey, (key) => {
        expect(decodeMessageId(encodeMessageId(key))).toEqual(key)
      })
    )
  })

  it('is the only text that names its message', () => {
    const nearly = messageKey.chain((key) => textDamages.map((spoil) => spoil(encodeMessageId(key))))
    const text = fc.oneof(anyText(), nearly, fc.string({ unit: fc.constantFrom(...'AQgw-_=+/ \n'), maxLength: 45 }))
    check(
      fc.property(text, (id) => {
        const key = decodeMessageId(id)
        if (!key) expectRefused(() => requireMessageId('id', id))
        else expect(encodeMessageId(key)).toBe(id)
      }),
      2000
    )
  })
})

describe('the id of a conversation or an operation', () => {
  it('is a UUID in lower case and nothing else', () => {
    const text = fc.oneof(
      anyText(),
      fc.uuid().map((id) => id.toUpperCase()),
      fc.uuid().chain((id) => textDamages.map((spoil) => spoil(id)))
    )
    check(
      fc.property(text, (id) => {
        const isUuid = id.length === 36 && /^[0-9a-f-]+$/.test(id) && id.split('-').join('').length === 32
        if (!isUuid) {
          expect(isConversationId(id)).toBe(false)
          expectRefused(() => requireConversationId('id', id))
          expectRefused(() => requireOperationId('id', id))
        }
      }),
      2000
    )
  })
})

describe('texts that people choose', () => {
  it('are taken as they are or refused: a user id, an id of the client, a body', () => {
    check(
      fc.property(anyText(400), (text) => {
        for (const require of [requireUserId, requireClientMessageId]) {
          const taken = takenOrRefused(() => require('field', text))
          if (taken === null) continue
          expect(taken).toBe(text)
          expect(Buffer.from(text, 'utf8').toString('utf8')).toBe(text)
          // biome-ignore lint/suspicious/noControlCharactersInRegex: PostgreSQL's text cannot hold it.
          expect(text).not.toMatch(/\u0000/)
        }
        const body = takenOrRefused(() => requireBody('body', text, 300))
        if (body) expect(body.toString('utf8')).toBe(text)
      }),
      2000
    )
  })

  it('are looked at in time that grows with their length and not faster', () => {
    for (const character of ['a', ' ', 'operator:', '\n', '\ud800', '-']) {
      const long = character.repeat(1_000_000)
      const all = () => {
        decodeMessageId(long)
        isConversationId(long)
        takenOrRefused(() => requireUserId('id', long))
        takenOrRefused(() => requireClientMessageId('id', long))
        takenOrRefused(() => requireBody('body', long, 300))
      }
      expect(cpuMs(all)).toBeLessThan(5000)
    }
  })
})

function expectRefused(take: () => unknown): void {
  expect(takenOrRefused(take)).toBeNull()
}

function takenOrRefused<T>(take: () => T): T | null {
  try {
    return take()
  } catch (error) {
    expect(error).toBeInstanceOf(BadUserInput)
    return null
  }
}
