import { type CursorKind, encodeCursor } from '../../src/graphql/cursor.js'
import { encodeMessageId } from '../../src/graphql/ids.js'
import { ImportIds } from '../../src/transfer/import-ids.js'
import type { CursorVector, ImportIdVector, MessageIdVector } from './vector-files.js'

const CONVERSATION = '019a2f4e-7b10-7c3d-8e5f-0a1b2c3d4e5f'
const MESSAGE = '019a2f4e-8c21-7d4e-9f60-1b2c3d4e5f60'
const TIME = '2026-11-01T09:00:00.000Z'

const POSITIONS: [string, CursorKind, string, string][] = [
  ['of a page of messages', 'message', CONVERSATION, '1234'],
  ['of events', 'event', CONVERSATION, '5678'],
  ['of members', 'member', CONVERSATION, `${TIME} zoë the 2nd ✓`],
  ['of conversations', 'conversation', 'alice', `${TIME} ${CONVERSATION}`],
  ['of the inventory of keys', 'key', '', `${CONVERSATION} 3`],
  ['of key events of one conversation', 'key-event', CONVERSATION, '52'],
  ['of key events of all conversations', 'key-event', '', Array(16).fill('7').join(' ')]
]

export function cursorVectors(): CursorVector[] {
  const valid = POSITIONS.map(([name, kind, scope, position]): CursorVector => {
    return { name, result: 'valid', kind, scope, cursor: encodeCursor(kind, scope, position), position }
  })
  const cursor = encodeCursor('message', CONVERSATION, '1234')
  const refused = (name: string, text: string, kind: CursorKind = 'message', scope = CONVERSATION): CursorVector => {
    return { name, result: 'invalid', kind, scope, cursor: text, position: null }
  }
  return [
    ...valid,
    refused('of another list', cursor, 'event'),
    refused('of another conversation', cursor, 'message', MESSAGE),
    refused('with a character replaced', `${cursor.slice(0, 5)}${cursor[5] === 'A' ? 'B' : 'A'}${cursor.slice(6)}`),
    refused('cut short', cursor.slice(0, -1)),
    refused('with padding', `${cursor}=`),
    refused('with white space', ` ${cursor}`),
    refused('of another version', withVersion(cursor, 2)),
    refused('of a position that is no number', encodeCursor('message', CONVERSATION, '1e3')),
    refused('of a number spelt otherwise', encodeCursor('message', CONVERSATION, '007')),
    refused('of a number too large', encodeCursor('message', CONVERSATION, '2147483648')),
    refused('empty', '')
  ]
}

function withVersion(cursor: string, version: number): string {
  const bytes = Buffer.from(cursor, 'base64url')
  bytes.writeUInt8(version, 0)
  return bytes.toString('base64url')
}

export function messageIdVectors(): MessageIdVector[] {
  const id = encodeMessageId({ conversationId: CONVERSATION, messageId: MESSAGE })
  const refused = (name: string, text: string): MessageIdVector => {
    return { name, result: 'invalid', id: text, conversationId: null, messageId: null }
  }
  return [
    { name: 'of a message', result: 'valid', id, conversationId: CONVERSATION, messageId: MESSAGE },
    refused('cut short', id.slice(0, -1)),
    refused('with padding', `${id}=`),
    refused('of one UUID', MESSAGE),
    refused('whose last bits are not zero', `${id.slice(0, -1)}B`),
    refused('empty', '')
  ]
}

export function importIdVectors(): ImportIdVector[] {
  const source = 'the old chat'
  const conversation = (name: string, reference: string, from = source): ImportIdVector => {
    const id = new ImportIds(from).conversation(reference)
    return { name, result: 'valid', source: from, conversationId: null, reference, line: 1, id }
  }
  const message = (name: string, reference: string | null, line = 2, conversationId = CONVERSATION): ImportIdVector => {
    const id = new ImportIds(source).message(conversationId, reference ?? undefined, line)
    return { name, result: 'valid', source, conversationId, reference, line, id }
  }
  const general = conversation('of a conversation', 'general')
  const seventeenth = message('of a message', '17')
  return [
    general,
    conversation('of a conversation whose name is not ASCII', 'Grüße\n✓'),
    conversation('of a conversation that has a UUID', CONVERSATION),
    conversation('of a UUID in upper case', CONVERSATION.toUpperCase()),
    conversation('of a conversation of another import', 'general', 'another chat'),
    seventeenth,
    message('of a message that has a UUID', MESSAGE),
    message('of a message in another conversation', '17', 2, MESSAGE),
    message('of a message without an id', null),
    message('of a message without an id, in a later line', null, 12_345),
    { ...general, name: 'in the place of one of another import', result: 'invalid', source: 'another chat' },
    { ...seventeenth, name: 'in the place of one in another conversation', result: 'invalid', conversationId: MESSAGE },
    { ...seventeenth, name: 'in the place of a message without an id', result: 'invalid', reference: null }
  ]
}
