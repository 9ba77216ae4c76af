import { randomBytes, randomUUID } from 'node:crypto'
import {
  type MessageContext,
  messageAssociatedData,
  privateKeyAssociatedData,
  type TitleContext,
  titleAssociatedData
} from '../../src/crypto/associated-data.js'
import { encryptContent } from '../../src/crypto/content-encryption.js'
import { dataKeyFrom } from '../../src/crypto/keys.js'
import { flipped, spoiltEnvelopes, withByteAdded } from './spoilt.js'
import type { AssociatedDataVector, Hex, MessageVector, TitleVector } from './vector-files.js'

const CONVERSATION = '019a2f4e-7b10-7c3d-8e5f-0a1b2c3d4e5f'
const MESSAGE = '019a2f4e-8c21-7d4e-9f60-1b2c3d4e5f60'
const DATA_KEY = '019a2f4e-6a0f-7b2c-ad4e-f90a1b2c3d4e'
const OTHER = '019a2f4e-ffff-7fff-bfff-ffffffffffff'

const SENT: MessageContext = {
  conversationId: CONVERSATION,
  messageId: MESSAGE,
  senderId: 'alice',
  dataKeyId: DATA_KEY,
  revision: 0
}
const BY_SYSTEM: MessageContext = { ...SENT, senderId: null }
const TITLED: TitleContext = { conversationId: CONVERSATION, dataKeyId: DATA_KEY, revision: 0 }

const BODIES: [string, MessageContext, string][] = [
  ['as sent', SENT, 'Hungry?'],
  ['edited for the third time', { ...SENT, revision: 3 }, 'At one, then.'],
  [
    'of a sender who is not ASCII',
    { ...SENT, senderId: 'zoë@example.org ✓' },
    'Grüße, 👩‍👩‍👧 and \u202eeverything\u202c'
  ],
  ['of the system', BY_SYSTEM, 'Alice added Bob.'],
  ['of the largest revision', { ...SENT, revision: 0xffffffff }, 'x'],
  ['of no bytes, which no server stores', SENT, ''],
  ['of 1,000 bytes', SENT, 'lorem ipsu'.repeat(100)]
]

const MOVED_MESSAGES: [string, Partial<MessageContext>][] = [
  ['in another conversation', { conversationId: OTHER }],
  ['in the place of another message', { messageId: OTHER }],
  ['of another sender', { senderId: 'bob' }],
  ['of the system, which has not sent it', { senderId: null }],
  ['of a sender whose name is empty', { senderId: '' }],
  ['under another id of its data key', { dataKeyId: OTHER }],
  ['of another revision', { revision: 1 }]
]

export function messageVectors(): MessageVector[] {
  const dataKey = randomBytes(32)
  const seal = (context: MessageContext, body: string) => sealed(dataKey, body, messageAssociatedData(context))
  const valid = BODIES.map(([name, context, body]): MessageVector => {
    return { name, result: 'valid', ...inputs(dataKey, context), envelope: hex(seal(context, body)), body }
  })
  const original = seal(SENT, 'Hungry?')
  const refused = (name: string, envelope: Buffer, context = SENT, key: Buffer = dataKey): MessageVector => {
    return { name, result: 'invalid', ...inputs(key, context), envelope: hex(envelope), body: null }
  }
  return [
    ...valid,
    ...spoiltContent(original).map(([name, envelope]) => refused(name, envelope)),
    ...MOVED_MESSAGES.map(([name, moved]) => refused(name, original, { ...SENT, ...moved })),
    refused('of a sender who is not the system', seal(BY_SYSTEM, 'Hungry?'), SENT),
    refused('a title', sealed(dataKey, 'Lunch', titleAssociatedData(TITLED))),
    refused('under another data key', original, SENT, randomBytes(32))
  ]
}

export function titleVectors(): TitleVector[] {
  const dataKey = randomBytes(32)
  const seal = (context: TitleContext, title: string) => sealed(dataKey, title, titleAssociatedData(context))
  const original = seal(TITLED, 'Lunch')
  const accepted = (name: string, context: TitleContext, title: string): TitleVector => {
    return { name, result: 'valid', ...inputs(dataKey, context), envelope: hex(seal(context, title)), title }
  }
  const refused = (name: string, envelope: Buffer, context = TITLED, key: Buffer = dataKey): TitleVector => {
    return { name, result: 'invalid', ...inputs(key, context), envelope: hex(envelope), title: null }
  }
  return [
    accepted('as created', TITLED, 'Lunch'),
    accepted('renamed', { ...TITLED, revision: 2 }, 'Mittagessen – 昼食'),
    ...spoiltContent(original).map(([name, envelope]) => refused(name, envelope)),
    refused('of another conversation', original, { ...TITLED, conversationId: OTHER }),
    refused('under another id of its data key', original, { ...TITLED, dataKeyId: OTHER }),
    refused('of another revision', original, { ...TITLED, revision: 1 }),
    refused('a message', sealed(dataKey, 'Hungry?', messageAssociatedData(SENT))),
    refused('under another data key', original, TITLED, randomBytes(32))
  ]
}

export function associatedDataVectors(): AssociatedDataVector[] {
  const fingerprint = randomBytes(32)
  const keyId = randomUUID()
  const message = (name: string, context: MessageContext): AssociatedDataVector => {
    return {
      name,
      result: 'valid',
      purpose: 'message',
      context: { ...context },
      associatedData: hex(messageAssociatedData(context))
    }
  }
  const refused = (
    name: string,
    purpose: AssociatedDataVector['purpose'],
    context: AssociatedDataVector['context']
  ): AssociatedDataVector => ({ name, result: 'invalid', purpose, context, associatedData: null })
  return [
    message('of a message', SENT),
    message('of a message of the system', BY_SYSTEM),
    message('of a sender whose name is empty', { ...SENT, senderId: '' }),
    message('of a sender who is not ASCII', { ...SENT, senderId: 'zoë@example.org ✓' }),
    message('of the largest revision', { ...SENT, revision: 0xffffffff }),
    {
      name: 'of a title',
      result: 'valid',
      purpose: 'title',
      context: { ...TITLED },
      associatedData: hex(titleAssociatedData(TITLED))
    },
    {
      name: 'of a private key',
      result: 'valid',
      purpose: 'private key',
      context: { keyId, fingerprint: hex(fingerprint) },
      associatedData: hex(privateKeyAssociatedData({ keyId, fingerprint }))
    },
    refused('of a revision below zero', 'message', { ...SENT, revision: -1 }),
    refused('of a revision of 33 bits', 'message', { ...SENT, revision: 0x100000000 }),
    refused('of a revision that is no integer', 'title', { ...TITLED, revision: 0.5 }),
    refused('of a conversation that is no UUID', 'title', { ...TITLED, conversationId: CONVERSATION.slice(1) }),
    refused('of a fingerprint of 20 bytes', 'private key', { keyId, fingerprint: hex(fingerprint.subarray(12)) })
  ]
}

/** Those of every envelope, and what AES-GCM as libraries have it would take. */
function spoiltContent(envelope: Buffer): [string, Buffer][] {
  return [
    ...spoiltEnvelopes(envelope, 2),
    ['a byte added', withByteAdded(envelope)],
    ['a bit of the ciphertext flipped', flipped(envelope, 14)],
    ['one byte less than nonce and tag have', envelope.subarray(0, 2 + 12 + 15)],
    ['the tag cut to 12 bytes', envelope.subarray(0, -4)],
    ['the tag cut to 4 bytes', envelope.subarray(0, -12)]
  ]
}

function sealed(dataKey: Uint8Array, text: string, associatedData: Buffer): Buffer {
  return encryptContent(dataKeyFrom(Uint8Array.from(dataKey)), Buffer.from(text, 'utf8'), associatedData)
}

function inputs<Context>(dataKey: Buffer, context: Context): { dataKey: Hex; context: Context } {
  return { dataKey: hex(dataKey), context }
}

function hex(bytes: Buffer): Hex {
  return bytes.toString('hex')
}
