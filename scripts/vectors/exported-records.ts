import type { ConversationRecord, ExportRecord, MemberRecord, MessageRecord } from '../../src/transfer/records.js'

/** What the exports of the vectors hold: each status that a message can have, and names that are not ASCII. */

export const CONVERSATION = '019a2f4e-7b10-7c3d-8e5f-0a1b2c3d4e5f'
export const at = (minute: number) => new Date(Date.UTC(2026, 10, 1, 9, minute)).toISOString()
const id = (sequence: number) => `019a2f4e-8c21-7d4e-9f60-1b2c3d4e5f0${sequence}`

const CONVERSATION_RECORD: ConversationRecord = {
  type: 'conversation',
  id: CONVERSATION,
  title: 'Mittagessen – 昼食',
  historyVisibility: 'FULL',
  createdAt: at(0)
}
const ALICE: ExportRecord = { type: 'user', id: 'alice', name: 'Alice' }
const ZOE: ExportRecord = { type: 'user', id: 'zoë ✓', name: 'Zoë' }
const MESSAGES: MessageRecord[] = [
  message(1, { body: 'Hungry?\n\u0000 \u2028 👩‍👩‍👧' }),
  message(2, { senderId: 'zoë ✓', body: 'At one, then.', replyToId: id(1), revision: 3, editedAt: at(5) }),
  message(3, { kind: 'SYSTEM', senderId: null, clientMessageId: null, body: 'Alice added Zoë.' }),
  message(4, { status: 'DELETED', body: null, revision: 1, deletedAt: at(6) }),
  message(5, { status: 'KEY_DESTROYED', body: null }),
  message(6, { senderId: 'zoë ✓', status: 'UNREADABLE', body: null })
]
const MEMBERS: ExportRecord[] = [
  member('alice', 'OWNER', { lastReadSequence: 6 }),
  member('zoë ✓', 'MEMBER', { joinedAt: at(2), visibleAfter: 1 })
]
export const RECORDS: ExportRecord[] = [CONVERSATION_RECORD, ALICE, ZOE, ...MESSAGES, ...MEMBERS]
export const OF_ALICE: ExportRecord[] = [
  ALICE,
  ...MESSAGES.filter(({ senderId }) => senderId === 'alice'),
  member('alice', 'OWNER', { lastReadSequence: 6 })
]
/** For whom the first three messages are not: neither they nor the reply to one of them. */
export const LATER: ExportRecord[] = [CONVERSATION_RECORD, ALICE, ZOE, ...MESSAGES.slice(3), ...MEMBERS]

function message(sequence: number, parts: Partial<MessageRecord>): MessageRecord {
  return {
    type: 'message',
    conversationId: CONVERSATION,
    sequence,
    id: id(sequence),
    kind: 'TEXT',
    senderId: 'alice',
    clientMessageId: `sent ${sequence}`,
    status: 'READABLE',
    body: null,
    replyToId: null,
    revision: 0,
    createdAt: at(sequence),
    editedAt: null,
    deletedAt: null,
    ...parts
  }
}

function member(userId: string, role: 'OWNER' | 'MEMBER', parts: Partial<MemberRecord>): MemberRecord {
  const record = { userId, role, joinedAt: at(0), visibleAfter: 0, lastReadSequence: 0, ...parts }
  return { type: 'member', conversationId: CONVERSATION, ...record }
}
