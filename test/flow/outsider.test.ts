import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ActivityDocument,
  AddMembersDocument,
  CancelKeyDestructionDocument,
  ConversationDocument,
  ConversationKeyPolicyDocument,
  ConversationKeysDocument,
  DeleteConversationDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  ExportConversationDocument,
  KeyEventsDocument,
  KeysDocument,
  LeaveConversationDocument,
  MarkKeyCompromisedDocument,
  MarkReadDocument,
  MembersDocument,
  MessageEventsDocument,
  MessagesDocument,
  NodeDocument,
  ReencryptConversationDocument,
  RemoveMemberDocument,
  RenameConversationDocument,
  RotateKeyDocument,
  ScheduleKeyDestructionDocument,
  SendMessageDocument,
  SetKeyPolicyDocument,
  SetMemberRoleDocument,
  SetTypingDocument,
  StoredMessageDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient, Result } from '../support/graphql-client.js'

/** A conversation or message: one that exists, and one that does not. */
interface Target {
  conversationId: string
  messageId: string
}

const PUBLIC_KEY = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString()
const UNKNOWN = '01890000-0000-7000-8000-000000000000'

let conclave: TestConclave
let alice: GraphQLClient
let existing: Target
let absent: Target

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  const conversationId = await createConversation(alice, ['bob'], { title: 'Not for strangers' })
  existing = { conversationId, messageId: (await send(alice, conversationId, 'a secret')).id }
  const unknownMessage = Buffer.from((UNKNOWN + UNKNOWN).replaceAll('-', ''), 'hex').toString('base64url')
  absent = { conversationId: UNKNOWN, messageId: unknownMessage }
})
afterAll(() => conclave.close())

type Attempt = (by: GraphQLClient, target: Target) => Promise<Result<unknown>>

const ATTEMPTS: Record<string, Attempt> = {
  conversation: (by, { conversationId }) => by.execute(ConversationDocument, { id: conversationId }),
  'node of a conversation': (by, { conversationId }) => by.execute(NodeDocument, { id: conversationId }),
  'node of a message': (by, { messageId }) => by.execute(NodeDocument, { id: messageId }),
  messages: (by, { conversationId }) => by.execute(MessagesDocument, { id: conversationId, last: 10 }),
  members: (by, { conversationId }) => by.execute(MembersDocument, { id: conversationId }),
  keys: (by, { conversationId }) => by.execute(KeysDocument, { id: conversationId }),
  addMembers: (by, { conversationId }) => by.execute(AddMembersDocument, { conversationId, userIds: ['mallory'] }),
  removeMember: (by, { conversationId }) => by.execute(RemoveMemberDocument, { conversationId, userId: 'bob' }),
  setMemberRole: (by, { conversationId }) =>
    by.execute(SetMemberRoleDocument, { conversationId, userId: 'mallory', role: 'OWNER' }),
  leaveConversation: (by, { conversationId }) => by.execute(LeaveConversationDocument, { conversationId }),
  renameConversation: (by, { conversationId }) =>
    by.execute(RenameConversationDocument, { conversationId, title: 'Mine' }),
  deleteConversation: (by, { conversationId }) => by.execute(DeleteConversationDocument, { conversationId }),
  sendMessage: (by, { conversationId }) =>
    by.execute(SendMessageDocument, { input: { conversationId, body: 'hello?' } }),
  'sendMessage in reply': (by, { conversationId, messageId }) =>
    by.execute(SendMessageDocument, { input: { conversationId, body: 'hello?', replyToId: messageId } }),
  'sendMessage with a client id': (by, { conversationId }) =>
    by.execute(SendMessageDocument, { input: { conversationId, body: 'hello?', clientMessageId: 'x' } }),
  editMessage: (by, { messageId }) => by.execute(EditMessageDocument, { messageId, body: 'forged' }),
  deleteMessage: (by, { messageId }) => by.execute(DeleteMessageDocument, { messageId }),
  storedMessage: (by, { messageId }) => by.execute(StoredMessageDocument, { id: messageId }),
  markRead: (by, { conversationId }) => by.execute(MarkReadDocument, { conversationId, sequence: 1 }),
  rotateKey: (by, { conversationId }) => by.execute(RotateKeyDocument, { conversationId }),
  setKeyPolicy: (by, { conversationId }) =>
    by.execute(SetKeyPolicyDocument, { conversationId, policy: { rotateAfter: 'P1D' } }),
  conversationKeyPolicy: (by, { conversationId }) => by.execute(ConversationKeyPolicyDocument, { conversationId }),
  conversationKeys: (by, { conversationId }) => by.execute(ConversationKeysDocument, { conversationId }),
  keyEvents: (by, { conversationId }) => by.execute(KeyEventsDocument, { conversationId }),
  markKeyCompromised: (by, { conversationId }) =>
    by.execute(MarkKeyCompromisedDocument, { conversationId, version: 1 }),
  scheduleKeyDestruction: (by, { conversationId }) =>
    by.execute(ScheduleKeyDestructionDocument, { conversationId, version: 1, after: 'PT1S' }),
  cancelKeyDestruction: (by, { conversationId }) =>
    by.execute(CancelKeyDestructionDocument, { conversationId, version: 1 }),
  reencryptConversation: (by, { conversationId }) =>
    by.execute(ReencryptConversationDocument, { conversationId, fromVersion: 1 }),
  exportConversation: (by, { conversationId }) =>
    by.execute(ExportConversationDocument, { conversationId, publicKeyPem: PUBLIC_KEY }),
  setTyping: (by, { conversationId }) => by.execute(SetTypingDocument, { conversationId, typing: true }),
  activity: async (by, { conversationId }) => {
    const events = by.subscribe(ActivityDocument, { conversationId })
    return { status: 200, data: null, errors: (await events.ended) ?? [] }
  },
  messageEvents: async (by, { conversationId }) => {
    const events = by.subscribe(MessageEventsDocument, { conversationId })
    return { status: 200, data: null, errors: (await events.ended) ?? [] }
  }
}

describe('somebody who is not in a conversation', () => {
  it('has an attempt here for every operation on a conversation', async () => {
    const { data } = await alice.post<{
      __schema: { queryType: Fields; mutationType: Fields; subscriptionType: Fields }
    }>({
      query:
        '{ __schema { queryType { fields { name } } mutationType { fields { name } } subscriptionType { fields { name } } } }'
    })
    const fields = Object.values(data?.__schema ?? {}).flatMap((type) => type.fields.map(({ name }) => name))
    const attempted = Object.keys(ATTEMPTS).map((name) => name.split(' ')[0])
    const onNoConversation = [
      ...['viewer', 'conversations', 'createConversation', 'devToken', 'rotateDueKeys', 'cancelKeyOperation'],
      ...['keyHealth', 'keyInventory', 'keyOperation', 'keyOperations', 'verifyKeyEvents', 'keyOperationProgress'],
      ...['dueRotations', 'rewrapPrivateKeys', 'pauseKeyOperation', 'resumeKeyOperation', 'inboxEvents'],
      ...['conversationExport', 'conversationExportProgress', 'membershipEvents']
    ]
    expect(fields.filter((name) => !attempted.includes(name))).toEqual(expect.arrayContaining(onNoConversation))
    expect(fields.filter((name) => ![...attempted, ...onNoConversation].includes(name))).toEqual([])
  })

  it.each(Object.keys(ATTEMPTS))('gets the same of %s as if the conversation did not exist', async (name) => {
    const mallory = await conclave.as('mallory')
    const attempt = ATTEMPTS[name] as Attempt
    const [toExisting, toAbsent] = [await attempt(mallory, existing), await attempt(mallory, absent)]
    expect(toExisting).toEqual(toAbsent)
    if (toExisting.errors) {
      expect(['NOT_FOUND', 'FORBIDDEN']).toContain(toExisting.errors[0]?.extensions.code)
    } else {
      expect(Object.values(toExisting.data ?? {})).toEqual([null])
    }
  })

  it.each(Object.keys(ATTEMPTS))('gets nothing of %s after being removed', async (name) => {
    const id = await createConversation(alice, ['trent'], { title: 'Not for Trent any more' })
    const trent = await conclave.as('trent')
    const messageId = (await send(trent, id, 'from Trent')).id
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'trent' })
    const attempt = ATTEMPTS[name] as Attempt
    const target = { conversationId: id, messageId }
    expect(await attempt(trent, target)).toEqual(await attempt(trent, absent))
  })

  it('has changed nothing by all that', async () => {
    expect((await readBack(alice, existing.conversationId)).map(({ body }) => body)).toEqual(['a secret'])
    const { conversation } = await alice.run(MembersDocument, { id: existing.conversationId })
    expect(conversation?.members.nodes.map(({ user }) => user.id)).toEqual(['alice', 'bob'])
    const { conversation: keys } = await alice.run(KeysDocument, { id: existing.conversationId })
    expect(keys?.keys.map(({ version, state }) => [version, state])).toEqual([[1, 'ACTIVE']])
  })

  it('cannot look up users with whom he has no conversation', async () => {
    const mallory = await conclave.as('mallory')
    expect(await mallory.run(NodeDocument, { id: 'alice' })).toEqual({ node: null })
    expect(await mallory.run(NodeDocument, { id: 'mallory' })).toMatchObject({ node: { id: 'mallory' } })
  })
})

describe('somebody without a token', () => {
  it.each(Object.keys(ATTEMPTS).filter((name) => !['messageEvents', 'activity'].includes(name)))(
    'is told to send one by %s',
    async (name) => {
      const { errors } = await (ATTEMPTS[name] as Attempt)(conclave.anonymous(), existing)
      expect(errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }])
    }
  )
})

interface Fields {
  fields: { name: string }[]
}
