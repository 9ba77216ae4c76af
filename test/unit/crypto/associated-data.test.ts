import { describe, expect, it } from 'vitest'
import {
  messageAssociatedData,
  privateKeyAssociatedData,
  titleAssociatedData
} from '../../../src/crypto/associated-data.js'
import { thrownBy } from '../failures.js'

const CONVERSATION = '01234567-89ab-4cde-8f01-23456789abcd'
const MESSAGE = '11111111-2222-4333-8444-555555555555'
const DATA_KEY = 'fedcba98-7654-4321-8fed-cba987654321'
const message = {
  conversationId: CONVERSATION,
  messageId: MESSAGE,
  senderId: 'zoë' as string | null,
  dataKeyId: DATA_KEY,
  revision: 258
}

const MALFORMED_UUIDS = [
  '',
  'alice',
  CONVERSATION.slice(1),
  CONVERSATION.slice(0, -2),
  'g'.repeat(32),
  `g${CONVERSATION.slice(1)}`,
  `${CONVERSATION}0`,
  `${CONVERSATION} and more`,
  `${CONVERSATION}\n`,
  ` ${CONVERSATION}`,
  `{${CONVERSATION}}`,
  `urn:uuid:${CONVERSATION}`,
  CONVERSATION.replaceAll('-', ''),
  '0123456789ab-4cde-8f01-2345-6789abcd'
]

describe.each(MALFORMED_UUIDS)('associated data with %j where a UUID belongs', (malformed) => {
  it.each([
    ['conversation of a message', () => messageAssociatedData({ ...message, conversationId: malformed })],
    ['message', () => messageAssociatedData({ ...message, messageId: malformed })],
    ['data key of a message', () => messageAssociatedData({ ...message, dataKeyId: malformed })],
    ['conversation of a title', () => titleAssociatedData({ ...message, conversationId: malformed })],
    ['data key of a title', () => titleAssociatedData({ ...message, dataKeyId: malformed })],
    ['key', () => privateKeyAssociatedData({ keyId: malformed, fingerprint: Buffer.alloc(32) })]
  ])('is refused for the %s', (_, encode) => {
    expectRangeError(thrownBy(encode), 'a UUID has 36 characters')
  })
})

describe('associated data of a message', () => {
  it.each([0.5, 258.000001, Number.NaN, Number.POSITIVE_INFINITY])('refuses revision %d, no integer', (revision) => {
    for (const encode of [messageAssociatedData, titleAssociatedData]) {
      expectRangeError(
        thrownBy(() => encode({ ...message, revision })),
        'a number to encode is an integer'
      )
    }
  })

  it.each(['\ud800', 'alice\udfff', '\ude00\ud83d', '\ud83d\ude00\ud83d'])(
    'refuses the sender %j, since UTF-8 has no lone surrogates',
    (senderId) => {
      expectRangeError(
        thrownBy(() => messageAssociatedData({ ...message, senderId })),
        'an id is well-formed Unicode'
      )
    }
  )

  it.each([-1, 2 ** 32])('refuses revision %d, which 32 bits cannot hold', (revision) => {
    const error = thrownBy(() => messageAssociatedData({ ...message, revision }))
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
  })

  it('is the purpose and five fields, each behind its length', () => {
    const expected = [
      ['00000012', '636f6e636c6176652f6d6573736167652f31'], // conclave/message/1
      ['00000010', '0123456789ab4cde8f0123456789abcd'],
      ['00000010', '11111111222243338444555555555555'],
      ['00000005', '017a6fc3ab'], // present, zoë in UTF-8
      ['00000010', 'fedcba98765443218fedcba987654321'],
      ['00000004', '00000102']
    ]
    expect(messageAssociatedData(message).toString('hex')).toBe(expected.flat().join(''))
  })

  it('has a sender beyond the first 65,536 characters in four bytes of UTF-8', () => {
    const encoded = messageAssociatedData({ ...message, senderId: '\ud83d\ude00' }).toString('hex')
    expect(encoded).toContain('00000005' + '01f09f9880' + '00000010')
  })

  it('marks an absent sender by one zero byte', () => {
    expect(messageAssociatedData({ ...message, senderId: null }).toString('hex')).toContain(
      '00000001' + '00' + '00000010'
    )
    expect(messageAssociatedData({ ...message, senderId: '' }).toString('hex')).toContain(
      '00000001' + '01' + '00000010'
    )
  })

  it('differs for every context that differs in one member', () => {
    const other = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'
    const contexts = [
      message,
      { ...message, conversationId: other },
      { ...message, messageId: other },
      { ...message, dataKeyId: other },
      { ...message, conversationId: MESSAGE, messageId: CONVERSATION },
      { ...message, senderId: 'zoe' },
      // The same name in another normal form is another sender.
      { ...message, senderId: 'zoe\u0308' },
      { ...message, senderId: '' },
      { ...message, senderId: '\u0000' },
      { ...message, senderId: null },
      { ...message, revision: 0 },
      { ...message, revision: 259 }
    ]
    const encodings = contexts.map((context) => messageAssociatedData(context).toString('hex'))
    expect(new Set(encodings).size).toBe(contexts.length)
  })

  it('is the same however a UUID is capitalised, since its bytes are', () => {
    const upper = messageAssociatedData({ ...message, conversationId: CONVERSATION.toUpperCase() })
    expect(upper).toEqual(messageAssociatedData(message))
  })
})

describe('associated data of messages of many conversations', () => {
  it('has each of them right, also those that are asked for again', () => {
    const ids = Array.from({ length: 2500 }, (_, index) => `${CONVERSATION.slice(0, -8)}${`${10_000_000 + index}`}`)
    for (const conversationId of [...ids, ...ids.slice(0, 10), ...ids.slice(-10)]) {
      const encoded = messageAssociatedData({ ...message, conversationId }).toString('hex')
      expect(encoded).toContain(`00000010${conversationId.replaceAll('-', '')}`)
    }
  })
})

describe('associated data of a title', () => {
  it('is the purpose and three fields, each behind its length', () => {
    const expected = [
      ['00000010', '636f6e636c6176652f7469746c652f31'], // conclave/title/1
      ['00000010', '0123456789ab4cde8f0123456789abcd'],
      ['00000010', 'fedcba98765443218fedcba987654321'],
      ['00000004', 'ffffffff']
    ]
    const context = { conversationId: CONVERSATION, dataKeyId: DATA_KEY, revision: 2 ** 32 - 1 }
    expect(titleAssociatedData(context).toString('hex')).toBe(expected.flat().join(''))
  })

  it('differs for every context that differs in one member', () => {
    const title = { conversationId: CONVERSATION, dataKeyId: DATA_KEY, revision: 0 }
    const contexts = [
      title,
      { ...title, conversationId: MESSAGE },
      { ...title, dataKeyId: MESSAGE },
      { ...title, conversationId: DATA_KEY, dataKeyId: CONVERSATION },
      { ...title, revision: 1 }
    ]
    const encodings = contexts.map((context) => titleAssociatedData(context).toString('hex'))
    expect(new Set(encodings).size).toBe(contexts.length)
  })
})

describe('associated data of a wrapped private key', () => {
  it.each([0, 20, 31, 33, 64])('refuses a fingerprint of %d bytes', (length) => {
    expectRangeError(
      thrownBy(() => privateKeyAssociatedData({ keyId: MESSAGE, fingerprint: Buffer.alloc(length) })),
      'a fingerprint has 32 bytes'
    )
  })

  it('is the purpose, the key id and the fingerprint, each behind its length', () => {
    const expected = [
      ['00000016', '636f6e636c6176652f707269766174652d6b65792f31'], // conclave/private-key/1
      ['00000010', '11111111222243338444555555555555'],
      ['00000020', '5a'.repeat(32)]
    ]
    const context = { keyId: MESSAGE, fingerprint: Buffer.alloc(32, 0x5a) }
    expect(privateKeyAssociatedData(context).toString('hex')).toBe(expected.flat().join(''))
  })

  it('differs for another key id and for another fingerprint', () => {
    const key = { keyId: MESSAGE, fingerprint: Buffer.alloc(32, 1) }
    const contexts = [key, { ...key, keyId: DATA_KEY }, { ...key, fingerprint: Buffer.alloc(32, 2) }]
    const encodings = contexts.map((context) => privateKeyAssociatedData(context).toString('hex'))
    expect(new Set(encodings).size).toBe(3)
  })
})

function expectRangeError(error: Error, message: string): void {
  expect(error).toBeInstanceOf(RangeError)
  expect(error.message).toBe(message)
}
