import {
  CreateConversationDocument,
  ExportConversationDocument,
  PauseKeyOperationDocument,
  ReencryptConversationDocument,
  RemoveMemberDocument,
  RotateKeyDocument,
  ScheduleKeyDestructionDocument,
  SendMessageDocument,
  SetMemberRoleDocument
} from '../../documents/generated.js'
import type { Actor } from '../../scripts/authorisation-table.js'
import { signToken } from '../../src/identity/sign-token.js'
import type { TestConclave } from './boot.js'
import { createConversation, eventCursor, send } from './chat.js'
import { GraphQLClient } from './graphql-client.js'
import { ecRecipient } from './transfer/recipients.js'

/** A conversation of people of its own, on which operations are tried. */
export interface Subject {
  clients: Record<Actor, GraphQLClient>
  /** A member who is not one of the actors. */
  bystander: GraphQLClient
  /** What a row of the table calls `$name`. Those that take something to make are made when they are first asked for. */
  id(name: string): Promise<string>
}

const DAY_MS = 24 * 60 * 60 * 1000

let made = 0

/**
 * A conversation with an owner, a moderator, a member who has written, another member, and one who has written and was
 * removed. Its first key version is deactivated.
 */
export async function makeSubject(conclave: TestConclave): Promise<Subject> {
  made += 1
  const name = (role: string) => `${role}-${made}`
  const as = (role: string, scopes: string[] = []) => conclave.as(name(role), { scopes })
  const [owner, member, removed, bystander] = await Promise.all(
    ['owner', 'member', 'removed', 'bystander'].map((role) => as(role))
  )
  if (!owner || !member || !removed || !bystander) throw new Error('nobody is there')
  const clients: Record<Actor, GraphQLClient> = {
    'no token': conclave.anonymous(),
    'expired token': await expired(conclave, name('owner')),
    stranger: await as('stranger'),
    'removed member': removed,
    member,
    moderator: await as('moderator'),
    owner,
    'keys:read': await as('reader', ['keys:read']),
    'keys:admin': await as('admin', ['keys:admin'])
  }
  const create = async () => {
    const memberIds = ['moderator', 'member', 'bystander', 'removed'].map(name)
    const conversationId = await createConversation(owner, memberIds, { title: 'Among themselves' })
    await owner.run(SetMemberRoleDocument, { conversationId, userId: name('moderator'), role: 'MODERATOR' })
    return conversationId
  }
  const conversation = await create()
  const cursor = await eventCursor(owner, conversation)
  const { id: message } = await send(member, conversation, 'of a member')
  const { id: ofRemoved } = await send(removed, conversation, 'of one who is removed')
  const { id: ofOther } = await send(bystander, conversation, 'of another member')
  await owner.run(RotateKeyDocument, { conversationId: conversation })
  await owner.run(RemoveMemberDocument, { conversationId: conversation, userId: name('removed') })
  const admin = clients['keys:admin']
  const reencrypt = async () => {
    const asked = { conversationId: conversation, fromVersion: 1 }
    return (await admin.run(ReencryptConversationDocument, asked)).reencryptConversation.operation.id
  }
  const recipientKey = ecRecipient().publicPem
  const known = new Map([
    ['conversation', conversation],
    ['cursor', cursor],
    ['message', message],
    ['ofOther', ofOther],
    ['ofRemoved', ofRemoved],
    ['other', name('bystander')],
    ['recipientKey', recipientKey]
  ])
  const onDemand: Record<string, () => Promise<string>> = {
    operation: reencrypt,
    async export() {
      const asked = { conversationId: conversation, publicKeyPem: recipientKey }
      return (await owner.run(ExportConversationDocument, asked)).exportConversation.export.id
    },
    async paused() {
      const id = await reencrypt()
      await admin.run(PauseKeyOperationDocument, { id })
      return id
    },
    async scheduled() {
      const target = { conversationId: conversation, version: 1, after: 'P1D' }
      await admin.run(ScheduleKeyDestructionDocument, target)
      return conversation
    },
    async twoOwners() {
      const promoted = { conversationId: conversation, userId: name('bystander'), role: 'OWNER' as const }
      await owner.run(SetMemberRoleDocument, promoted)
      return conversation
    },
    async reply() {
      const input = { conversationId: conversation, body: 'a reply', replyToId: message }
      return (await member.run(SendMessageDocument, { input })).sendMessage.message.id
    }
  }
  return {
    clients,
    bystander,
    async id(wanted) {
      const id = known.get(wanted) ?? (await onDemand[wanted]?.())
      if (!id) throw new Error(`nothing is called $${wanted}`)
      known.set(wanted, id)
      return id
    }
  }
}

/** A conversation of the client's own, in which something was sent: what a list or an inbox shows in any case. */
export async function makeOwnConversation(by: GraphQLClient): Promise<void> {
  const { createConversation: made } = await by.run(CreateConversationDocument, { input: { memberIds: [] } })
  await send(by, made.conversation.id, 'to oneself')
}

/** With every right that a token can give, until it expired. */
async function expired({ url, services, clock }: TestConclave, userId: string): Promise<GraphQLClient> {
  const before = { now: () => new Date(clock.now().getTime() - DAY_MS) }
  const authentication = { ...services.authentication }
  const { token } = await signToken(authentication, before, { userId, scopes: ['keys:read', 'keys:admin'] })
  return new GraphQLClient(url, token)
}
