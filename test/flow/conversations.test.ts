import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  AddMembersDocument,
  ConversationDocument,
  ConversationsDocument,
  CreateConversationDocument,
  DeleteConversationDocument,
  LeaveConversationDocument,
  MarkReadDocument,
  MembersDocument,
  NodeDocument,
  RemoveMemberDocument,
  RenameConversationDocument,
  SetMemberRoleDocument,
  ViewerDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'

let conclave: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient
let carol: GraphQLClient

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice', { name: 'Alice' })
  bob = await conclave.as('bob', { name: 'Bob' })
  carol = await conclave.as('carol', { name: 'Carol' })
  for (const user of [alice, bob, carol]) await user.run(ViewerDocument)
})
afterAll(() => conclave.close())

describe('creating a conversation', () => {
  it.each([
    ['', 'visible character'],
    [' \t\n ', 'visible character'],
    ['x'.repeat(1025), 'at most 1024 bytes'],
    ['lone \ud800 surrogate', 'lone surrogate']
  ])('refuses the title %j', async (title, reason) => {
    const { errors } = await alice.execute(CreateConversationDocument, { input: { title, memberIds: [] } })
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'input.title' } }])
    expect(errors?.[0]?.message).toContain(reason)
  })

  it.each(['', 'x'.repeat(256), 'nul\u0000', 'lone \ud800'])('refuses the user id %j as a member', async (userId) => {
    const { errors } = await alice.execute(CreateConversationDocument, { input: { memberIds: ['bob', userId] } })
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'input.memberIds.1' } }])
  })

  it('makes the creator its owner and everybody named, once each, a member', async () => {
    const id = await createConversation(alice, ['bob', 'bob', 'alice', 'dave'], { title: 'Kick-off' })
    const { conversation } = await alice.run(ConversationDocument, { id })
    expect(conversation).toMatchObject({
      title: 'Kick-off',
      viewerRole: 'OWNER',
      historyVisibility: 'FULL',
      lastMessage: null
    })
    const members = await membersOf(bob, id)
    expect(members).toEqual(['alice OWNER', 'bob MEMBER', 'dave MEMBER'])
  })

  it('knows a member who has not come yet by id, and by name once he comes', async () => {
    const id = await createConversation(alice, ['erin'])
    const named = async () =>
      (await alice.run(MembersDocument, { id })).conversation?.members.nodes.map(({ user }) => user.name)
    expect(await named()).toEqual(['Alice', 'erin'])
    await (await conclave.as('erin', { name: 'Erin Example' })).run(ViewerDocument)
    expect(await named()).toEqual(['Alice', 'Erin Example'])
  })
})

describe('the list of conversations', () => {
  it('refuses a page of none or of more than 200, and a cursor of another list', async () => {
    for (const first of [0, -1, 201]) {
      const { errors } = await alice.execute(ConversationsDocument, { first })
      const code = first > 200 ? 'QUERY_TOO_COMPLEX' : 'BAD_USER_INPUT'
      expect(errors).toMatchObject([{ extensions: { code, field: 'first' } }])
    }
    const bobs = await bob.run(ConversationsDocument, { first: 1 })
    for (const after of ['made up', bobs.conversations.pageInfo.endCursor]) {
      const { errors } = await alice.execute(ConversationsDocument, { after })
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'after' } }])
    }
  })

  it('has the latest activity first, page by page, each conversation once', async () => {
    const frank = await conclave.as('frank')
    const ids: string[] = []
    for (let index = 0; index < 5; index++) {
      conclave.clock.advance(1000)
      ids.push(await createConversation(frank, []))
    }
    conclave.clock.advance(1000)
    await send(frank, ids[1] ?? '', 'wake up')
    const listed: string[] = []
    let after: string | null = null
    for (let page = 0; page < 3; page++) {
      const { conversations }: Awaited<ReturnType<typeof listPage>> = await listPage(frank, 2, after)
      expect(conversations.totalCount).toBe(5)
      expect(conversations.pageInfo).toMatchObject({ hasNextPage: page < 2, hasPreviousPage: page > 0 })
      listed.push(...conversations.edges.map(({ node }) => node.id))
      after = conversations.pageInfo.endCursor
    }
    expect(listed).toEqual([ids[1], ids[4], ids[3], ids[2], ids[0]])
  })
})

describe('members', () => {
  it('are added by owners only', async () => {
    const id = await createConversation(alice, ['bob'])
    const { errors } = await bob.execute(AddMembersDocument, { conversationId: id, userIds: ['carol'] })
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
    expect(await membersOf(alice, id)).toEqual(['alice OWNER', 'bob MEMBER'])
  })

  it('are told who was added, removed and left', async () => {
    const id = await createConversation(alice, ['bob'])
    await alice.run(AddMembersDocument, { conversationId: id, userIds: ['carol', 'bob'] })
    await alice.run(SetMemberRoleDocument, { conversationId: id, userId: 'carol', role: 'MODERATOR' })
    await carol.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    await carol.run(LeaveConversationDocument, { conversationId: id })
    const messages = await readBack(alice, id)
    expect(messages.map(({ kind, sender, body }) => ({ kind, sender, body }))).toEqual(
      ['Alice added Carol', 'Alice made Carol moderator', 'Carol removed Bob', 'Carol left'].map((body) => ({
        kind: 'SYSTEM',
        sender: null,
        body
      }))
    )
  })

  it('are listed page by page in the order of joining', async () => {
    const everybody = Array.from({ length: 7 }, (_, index) => `member ${index}`)
    const id = await createConversation(alice, everybody)
    const listed: string[] = []
    let after: string | null = null
    do {
      const { conversation }: Awaited<ReturnType<typeof memberPage>> = await memberPage(alice, id, after)
      expect(conversation?.members.totalCount).toBe(8)
      listed.push(...(conversation?.members.nodes.map(({ user }) => user.id) ?? []))
      after = conversation?.members.pageInfo.hasNextPage ? conversation.members.pageInfo.endCursor : null
    } while (after)
    expect(listed).toEqual(['alice', ...everybody])
  })

  it('are removed by moderators only where they are plain members', async () => {
    const id = await createConversation(alice, ['bob', 'carol'])
    await alice.run(SetMemberRoleDocument, { conversationId: id, userId: 'bob', role: 'MODERATOR' })
    const remove = async (by: GraphQLClient, userId: string) =>
      (await by.execute(RemoveMemberDocument, { conversationId: id, userId })).errors
    expect(await remove(carol, 'bob')).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
    expect(await remove(bob, 'alice')).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
    expect(await remove(bob, 'nobody here')).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
    expect(await remove(bob, 'carol')).toBeUndefined()
  })

  it('cannot take the last owner away', async () => {
    const id = await createConversation(alice, ['bob'])
    const attempts = [
      alice.execute(LeaveConversationDocument, { conversationId: id }),
      alice.execute(SetMemberRoleDocument, { conversationId: id, userId: 'alice', role: 'MEMBER' })
    ]
    for (const { errors } of await Promise.all(attempts))
      expect(errors).toMatchObject([{ extensions: { code: 'CONFLICT' } }])
    expect(await membersOf(bob, id)).toEqual(['alice OWNER', 'bob MEMBER'])
  })

  it('keep an owner when two owners leave at the same moment', async () => {
    const id = await createConversation(alice, ['bob', 'carol'])
    await alice.run(SetMemberRoleDocument, { conversationId: id, userId: 'bob', role: 'OWNER' })
    const left = await Promise.all(
      [alice, bob].map((owner) => owner.execute(LeaveConversationDocument, { conversationId: id }))
    )
    expect(left.map(({ errors }) => errors?.[0]?.extensions.code ?? 'LEFT').sort()).toEqual(['CONFLICT', 'LEFT'])
    expect((await membersOf(carol, id)).filter((member) => member.endsWith('OWNER'))).toHaveLength(1)
  })
})

describe('history', () => {
  it('before joining is hidden where the conversation says so', async () => {
    const id = await createConversation(alice, ['bob'], { historyVisibility: 'SINCE_JOINED' })
    const early = await send(alice, id, 'before Carol')
    await alice.run(AddMembersDocument, { conversationId: id, userIds: ['carol'] })
    await send(alice, id, 'after Carol')
    expect((await readBack(carol, id)).map(({ body }) => body)).toEqual(['Alice added Carol', 'after Carol'])
    expect((await readBack(bob, id)).map(({ body }) => body)).toEqual([
      'before Carol',
      'Alice added Carol',
      'after Carol'
    ])
    expect(await carol.run(NodeDocument, { id: early.id })).toEqual({ node: null })
  })

  it('before joining is open where the conversation says so', async () => {
    const id = await createConversation(alice, ['bob'])
    await send(alice, id, 'before Carol')
    await alice.run(AddMembersDocument, { conversationId: id, userIds: ['carol'] })
    expect((await readBack(carol, id)).map(({ body }) => body)).toEqual(['before Carol', 'Alice added Carol'])
  })
})

describe('reading', () => {
  it('refuses a mark below nothing or beyond the last message', async () => {
    const id = await createConversation(alice, ['bob'])
    await send(alice, id, 'one')
    for (const sequence of [-1, 2]) {
      const { errors } = await bob.execute(MarkReadDocument, { conversationId: id, sequence })
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'sequence' } }])
    }
  })

  it('counts what others sent after the mark, and never moves the mark back', async () => {
    const id = await createConversation(alice, ['bob'])
    for (const body of ['one', 'two', 'three']) await send(alice, id, body)
    await send(bob, id, 'four')
    const unread = async (reader: GraphQLClient) =>
      (await reader.run(ConversationDocument, { id })).conversation?.unreadCount
    expect([await unread(alice), await unread(bob)]).toEqual([1, 3])
    for (const sequence of [2, 1]) await bob.run(MarkReadDocument, { conversationId: id, sequence })
    expect(await unread(bob)).toBe(1)
    const marks = (await alice.run(MembersDocument, { id })).conversation?.members.nodes.map(
      (member) => member.lastReadSequence
    )
    expect(marks).toEqual([0, 2])
  })
})

describe('a title', () => {
  it('is changed by owners only', async () => {
    const id = await createConversation(alice, ['bob'], { title: 'Before' })
    const { errors } = await bob.execute(RenameConversationDocument, { conversationId: id, title: 'Mine now' })
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
    const { renameConversation } = await alice.run(RenameConversationDocument, {
      conversationId: id,
      title: 'After 🐟'
    })
    expect(renameConversation.conversation.title).toBe('After 🐟')
    await alice.run(RenameConversationDocument, { conversationId: id, title: null })
    expect((await bob.run(ConversationDocument, { id })).conversation?.title).toBeNull()
  })

  it('that was moved from another conversation is not shown', async () => {
    const [from, to] = [
      await createConversation(alice, [], { title: 'A secret' }),
      await createConversation(alice, [], { title: 'x' })
    ]
    await conclave.database.query(
      `update conversations c set title = o.title from conversations o where c.id = $1 and o.id = $2`,
      [to, from]
    )
    const { data, errors } = await alice.execute(ConversationDocument, { id: to })
    expect(data?.conversation).toMatchObject({ id: to, title: null })
    expect(errors).toMatchObject([{ path: ['conversation', 'title'], extensions: { code: 'KEY_UNAVAILABLE' } }])
  })
})

describe('deleting a conversation', () => {
  it('is for owners only', async () => {
    const id = await createConversation(alice, ['bob'])
    const { errors } = await bob.execute(DeleteConversationDocument, { conversationId: id })
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
  })

  it('makes it unknown to its members and leaves nothing that could open its messages', async () => {
    const id = await createConversation(alice, ['bob'], { title: 'Short-lived' })
    await send(bob, id, 'gone soon')
    await alice.run(DeleteConversationDocument, { conversationId: id })
    expect(await bob.run(ConversationDocument, { id })).toEqual({ conversation: null })
    const keys = await conclave.database.query(
      'select state, wrapped_private_key from conversation_keys where conversation_id = $1',
      [id]
    )
    expect(keys).toEqual([{ state: 'DESTROYED', wrapped_private_key: null }])
    const dataKeys = await conclave.database.query('select wrapped_key from data_keys where conversation_id = $1', [id])
    expect(dataKeys).toEqual([{ wrapped_key: null }])
  })
})

async function membersOf(viewer: GraphQLClient, id: string): Promise<string[]> {
  const { conversation } = await viewer.run(MembersDocument, { id })
  return conversation?.members.nodes.map(({ user, role }) => `${user.id} ${role}`) ?? []
}

function memberPage(viewer: GraphQLClient, id: string, after: string | null) {
  return viewer.run(MembersDocument, { id, first: 3, after })
}

function listPage(viewer: GraphQLClient, first: number, after: string | null) {
  return viewer.run(ConversationsDocument, { first, after })
}
