import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  decodeMessageId,
  encodeMessageId,
  isConversationId,
  requireConversationId,
  requireMessageId
} from '../../../src/graphql/ids.js'
import { expectBadUserInput, thrownBy } from '../failures.js'

const CONVERSATION = '01234567-89ab-4cde-8f01-23456789abcd'
const MESSAGE = 'fedcba98-7654-4321-8fed-cba987654321'

describe('the id of a conversation', () => {
  it.each([
    '',
    'alice',
    CONVERSATION.slice(1),
    `${CONVERSATION}0`,
    ` ${CONVERSATION}`,
    `${CONVERSATION}\n`,
    CONVERSATION.replaceAll('-', ''),
    `{${CONVERSATION}}`,
    CONVERSATION.toUpperCase(),
    CONVERSATION.replace('0', 'g'),
    CONVERSATION.replace('0', '٠'),
    `${CONVERSATION}' or true --`
  ])('is not %j', (id) => {
    expect(isConversationId(id)).toBe(false)
    const error = thrownBy(() => requireConversationId('input.conversationId', id))
    expectBadUserInput(error, 'input.conversationId', 'This is not the id of a conversation.')
  })

  it('is a UUID in lower case', () => {
    for (const id of [CONVERSATION, randomUUID()]) {
      expect(isConversationId(id)).toBe(true)
      expect(requireConversationId('id', id)).toBe(id)
    }
  })
})

describe('the id of a message', () => {
  const id = encodeMessageId({ conversationId: CONVERSATION, messageId: MESSAGE })

  it.each([
    ['empty', ''],
    ['a UUID', MESSAGE],
    ['a byte short', Buffer.alloc(31).toString('base64url')],
    ['a byte long', Buffer.alloc(33).toString('base64url')],
    ['padded', `${id}=`],
    ['in the other alphabet of base64', Buffer.alloc(32, 0xff).toString('base64')],
    ['broken by white space', `${id.slice(0, 9)} ${id.slice(9)}`],
    ['followed by a line break', `${id}\n`],
    ['followed by what base64 skips', `${id}!!`],
    // 43 characters hold 258 bits: the last two must be zero, or one message had four ids.
    ['spelled with unused bits set', `${id.slice(0, -1)}F`]
  ])('is refused when it is %s', (_, text) => {
    expect(decodeMessageId(text)).toBeNull()
    const error = thrownBy(() => requireMessageId('messageId', text))
    expectBadUserInput(error, 'messageId', 'This is not the id of a message.')
  })

  it('is base64url of the two UUIDs, the conversation first', () => {
    expect(id).toBe('ASNFZ4mrTN6PASNFZ4mrzf7cuph2VEMhj-3LqYdlQyE')
    expect(Buffer.from(id, 'base64url').toString('hex')).toBe(
      '0123456789ab4cde8f0123456789abcdfedcba98765443218fedcba987654321'
    )
  })

  it('gives conversation and message back', () => {
    expect(decodeMessageId(id)).toEqual({ conversationId: CONVERSATION, messageId: MESSAGE })
    for (let count = 0; count < 50; count++) {
      const key = { conversationId: randomUUID(), messageId: randomUUID() }
      expect(requireMessageId('id', encodeMessageId(key))).toEqual(key)
    }
  })
})
