import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  ConversationDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  MessagesDocument,
  NodeDocument,
  SendMessageDocument,
  SetMemberRoleDocument
} from '../../documents/generated.js'
import { editMessage } from '../../src/message/edit-message.js'
import { sendMessage } from '../../src/message/send-message.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, follow, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { naughtyStrings } from '../support/naughty-strings.js'
import { noteOverwritten } from '../support/overwritten.js'

let conclave: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient
let carol: GraphQLClient

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  bob = await conclave.as('bob')
  carol = await conclave.as('carol')
})
afterAll(() => conclave.close())

describe('sending', () => {
  it.each([
    ['nothing', '', 'not white space'],
    ['only white space', ' \n\t\u2003', 'not white space'],
    ['one byte more than MAX_BODY_BYTES', `${'é'.repeat(32_768)}x`, '65537 bytes'],
    ['a lone surrogate', 'broken \udc00 text', 'lone surrogate']
  ])('refuses %s, naming the field', async (_, body, reason) => {
    const conversationId = await createConversation(alice, [])
    const { errors } = await alice.execute(SendMessageDocument, { input: { conversationId, body } })
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'input.body' } }])
    expect(errors?.[0]?.message).toContain(reason)
    expect(await readBack(alice, conversationId)).toEqual([])
  })

  it.each(['not an id', '00000000-0000-0000-0000-00000000000', '../etc'])(
    'refuses the malformed conversation id %j',
    async (id) => {
      const { errors } = await alice.execute(SendMessageDocument, { input: { conversationId: id, body: 'x' } })
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'input.conversationId' } }])
    }
  )

  it('takes a body of exactly MAX_BODY_BYTES', async () => {
    const conversationId = await createConversation(alice, [])
    const body = 'é'.repeat(32_768)
    expect((await send(alice, conversationId, body)).body).toBe(body)
  })

  it('gives every naughty string back as it was sent, and refuses those without a visible character', async () => {
    const conversationId = await createConversation(alice, ['bob'])
    const sent: string[] = []
    for (const body of naughtyStrings()) {
      const { data, errors } = await alice.execute(SendMessageDocument, { input: { conversationId, body } })
      if (body.trim() === '') {
        expect(errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'input.body' })
      } else {
        expect(data?.sendMessage.message).toMatchObject({ body, status: 'READABLE', sequence: sent.push(body) })
      }
    }
    expect(sent.length).toBeGreaterThan(500)
    expect((await readBack(bob, conversationId)).map(({ body }) => body)).toEqual(sent)
  })
})

describe('a retry with the same client message id', () => {
  it('is refused with another body', async () => {
    const conversationId = await createConversation(alice, [])
    const input = { conversationId, clientMessageId: 'one' }
    await alice.run(SendMessageDocument, { input: { ...input, body: 'first' } })
    const { errors } = await alice.execute(SendMessageDocument, { input: { ...input, body: 'second' } })
    expect(errors).toMatchObject([{ extensions: { code: 'CONFLICT' } }])
  })

  it('stores once, also when the requests race', async () => {
    const conversationId = await createConversation(alice, ['bob'])
    const input = { conversationId, clientMessageId: 'once', body: 'just once' }
    const results = await Promise.all(Array.from({ length: 8 }, () => alice.run(SendMessageDocument, { input })))
    const ids = results.map(({ sendMessage }) => sendMessage.message.id)
    expect(new Set(ids).size).toBe(1)
    await bob.run(SendMessageDocument, { input })
    const stored = await readBack(alice, conversationId)
    expect(stored.map(({ sequence, sender }) => [sequence, sender?.id])).toEqual([
      [1, 'alice'],
      [2, 'bob']
    ])
  })
})

describe('a client message id', () => {
  it('comes with the message to every member: in the answer, in the event and on the page', async () => {
    const conversationId = await createConversation(alice, ['bob'])
    const streams = [await follow(alice, conversationId), await follow(bob, conversationId)]
    const input = { conversationId, body: 'mine', clientMessageId: 'called by alice' }
    const { sendMessage } = await alice.run(SendMessageDocument, { input })
    expect(sendMessage.message.clientMessageId).toBe('called by alice')
    for (const events of streams) {
      expect((await events.next()).messageEvents.message.clientMessageId).toBe('called by alice')
    }
    expect((await send(bob, conversationId, 'not called anything')).clientMessageId).toBeNull()
    for (const reader of [alice, bob]) {
      const read = await readBack(reader, conversationId)
      expect(read.map(({ clientMessageId }) => clientMessageId)).toEqual(['called by alice', null])
    }
  })
})

describe('replying', () => {
  it('is refused to a message of another conversation, unknown or out of sight', async () => {
    const [here, there] = [await createConversation(alice, ['bob']), await createConversation(alice, [])]
    const other = await send(alice, there, 'elsewhere')
    const forged = Buffer.concat([Buffer.from(here.replaceAll('-', ''), 'hex'), Buffer.alloc(16)]).toString('base64url')
    for (const replyToId of [other.id, forged, 'malformed']) {
      const { errors } = await bob.execute(SendMessageDocument, {
        input: { conversationId: here, body: 'x', replyToId }
      })
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'input.replyToId' } }])
    }
  })

  it('leads to the message replied to', async () => {
    const conversationId = await createConversation(alice, ['bob'])
    const question = await send(alice, conversationId, 'Coming?')
    const { sendMessage } = await bob.run(SendMessageDocument, {
      input: { conversationId, body: 'Yes', replyToId: question.id }
    })
    expect(sendMessage.message.replyTo).toEqual({ id: question.id, sequence: 1 })
  })
})

describe('editing', () => {
  it("is refused on another's message, a system message, a deleted one and an unknown one", async () => {
    const id = await createConversation(alice, ['bob', 'carol'])
    const message = await send(alice, id, 'mine')
    await alice.run(SetMemberRoleDocument, { conversationId: id, userId: 'bob', role: 'MODERATOR' })
    const notice = (await readBack(alice, id)).at(-1)
    const edit = async (by: GraphQLClient, messageId: string) =>
      (await by.execute(EditMessageDocument, { messageId, body: 'changed' })).errors?.[0]?.extensions.code
    expect(await edit(bob, message.id)).toBe('FORBIDDEN')
    expect(await edit(alice, notice?.id ?? '')).toBe('FORBIDDEN')
    expect(await edit(alice, 'malformed')).toBe('BAD_USER_INPUT')
    expect(await edit(alice, Buffer.alloc(32).toString('base64url'))).toBe('NOT_FOUND')
    await alice.run(DeleteMessageDocument, { messageId: message.id })
    expect(await edit(alice, message.id)).toBe('CONFLICT')
  })

  it('replaces the body and keeps place and time', async () => {
    const id = await createConversation(alice, ['bob'])
    const before = await send(alice, id, 'teh')
    conclave.clock.advance(60_000)
    const { editMessage } = await alice.run(EditMessageDocument, { messageId: before.id, body: 'the' })
    expect(editMessage.message).toEqual({ ...before, body: 'the', editedAt: conclave.clock.now().toISOString() })
    expect(await readBack(bob, id)).toEqual([editMessage.message])
  })

  it('twenty times at once leaves one of the bodies, and every edit counted', async () => {
    const id = await createConversation(alice, [])
    const message = await send(alice, id, 'start')
    const bodies = Array.from({ length: 20 }, (_, index) => `edit ${index}`)
    await Promise.all(bodies.map((body) => alice.run(EditMessageDocument, { messageId: message.id, body })))
    const [stored] = await readBack(alice, id)
    expect(bodies).toContain(stored?.body)
    expect(await conclave.database.query('select revision from messages where conversation_id = $1', [id])).toEqual([
      { revision: 20 }
    ])
  })
})

describe('the bytes of a body', () => {
  it('are not left in memory once it is sent, or was edited, nor where either is refused', async () => {
    const conversationId = await createConversation(alice, [])
    const viewer = (id: string) => ({ id, name: id, scopes: new Set<string>(), expiresAt: null })
    const draft = (body: string) => ({ conversationId, body, clientMessageId: null, replyToId: null })
    const overwritten = noteOverwritten()
    try {
      const { id: messageId } = await sendMessage(conclave.services, viewer('alice'), draft('sent'))
      await editMessage(conclave.services, viewer('alice'), { conversationId, messageId }, 'edited')
      await expect(sendMessage(conclave.services, viewer('bob'), draft('not sent'))).rejects.toThrow()
      const editing = editMessage(conclave.services, viewer('bob'), { conversationId, messageId }, 'not edited')
      await expect(editing).rejects.toThrow()
    } finally {
      vi.restoreAllMocks()
    }
    expect(overwritten.map(String)).toEqual(expect.arrayContaining(['sent', 'edited', 'not sent', 'not edited']))
  })
})

describe('deleting', () => {
  it("is refused to plain members on another's message, and on system messages", async () => {
    const id = await createConversation(alice, ['bob', 'carol'])
    const message = await send(alice, id, 'keep me')
    await alice.run(SetMemberRoleDocument, { conversationId: id, userId: 'carol', role: 'MODERATOR' })
    const notice = (await readBack(alice, id)).at(-1)
    const refused = async (by: GraphQLClient, messageId: string) =>
      (await by.execute(DeleteMessageDocument, { messageId })).errors
    expect(await refused(bob, message.id)).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
    expect(await refused(alice, notice?.id ?? '')).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
    expect((await readBack(bob, id))[0]?.body).toBe('keep me')
  })

  it('by its sender or a moderator takes the ciphertext out and leaves the place, once and again', async () => {
    const id = await createConversation(alice, ['bob', 'carol'])
    await alice.run(SetMemberRoleDocument, { conversationId: id, userId: 'carol', role: 'MODERATOR' })
    for (const by of [bob, carol]) {
      const message = await send(bob, id, 'to be deleted')
      const { deleteMessage } = await by.run(DeleteMessageDocument, { messageId: message.id })
      expect(deleteMessage.message).toMatchObject({ sequence: message.sequence, body: null, status: 'DELETED' })
      const again = await by.run(DeleteMessageDocument, { messageId: message.id })
      expect(again.deleteMessage.message).toEqual(deleteMessage.message)
    }
    const rows = await conclave.database.query(
      `select envelope from messages where conversation_id = $1 and kind = 'TEXT'`,
      [id]
    )
    expect(rows).toEqual([{ envelope: null }, { envelope: null }])
  })
})

describe('a page of messages', () => {
  it('is refused without a size, with two, out of bounds, or from a cursor that is not its own', async () => {
    const [id, other] = [await createConversation(alice, []), await createConversation(alice, [])]
    await send(alice, other, 'x')
    const cursor = (await alice.run(MessagesDocument, { id: other, last: 1 })).conversation?.messages.pageInfo.endCursor
    const cases = [
      [{}, 'first'],
      [{ first: 1, last: 1 }, 'first'],
      [{ first: 0 }, 'first'],
      [{ last: 201 }, 'last', 'QUERY_TOO_COMPLEX'],
      [{ first: 1, after: cursor }, 'after'],
      [{ last: 1, before: 'AAAA' }, 'before']
    ] as const
    for (const [variables, field, code = 'BAD_USER_INPUT'] of cases) {
      const { errors } = await alice.execute(MessagesDocument, { id, ...variables })
      expect(errors, JSON.stringify(variables)).toMatchObject([{ extensions: { code, field } }])
    }
  })

  it('goes forwards and backwards over everything, once and in order', async () => {
    const id = await createConversation(alice, [])
    const bodies = Array.from({ length: 23 }, (_, index) => `message ${index + 1}`)
    for (const body of bodies) await send(alice, id, body)
    expect((await readBack(alice, id, 5)).map(({ body }) => body)).toEqual(bodies)
    const forwards: unknown[] = []
    let after: string | null = null
    do {
      const page: Awaited<ReturnType<typeof firstSeven>> = await firstSeven(id, after)
      expect(page?.totalCount).toBe(23)
      expect(page?.pageInfo.hasPreviousPage).toBe(forwards.length > 0)
      forwards.push(...(page?.edges.map(({ node }) => node.body) ?? []))
      after = page?.pageInfo.hasNextPage ? page.pageInfo.endCursor : null
    } while (after)
    expect(forwards).toEqual(bodies)
  })

  it('says what lies beyond an empty range', async () => {
    const id = await createConversation(alice, [])
    expect(await firstSeven(id, null)).toMatchObject({
      edges: [],
      pageInfo: { hasNextPage: false, hasPreviousPage: false }
    })
    await send(alice, id, 'only one')
    const end = (await firstSeven(id, null))?.pageInfo.endCursor ?? null
    expect(await firstSeven(id, end)).toMatchObject({
      edges: [],
      pageInfo: { hasNextPage: false, hasPreviousPage: true }
    })
  })
})

describe('an id', () => {
  it('of nothing gives null, and one that is malformed an error', async () => {
    const nothing = '01890000-0000-7000-8000-000000000000'
    expect(await alice.run(ConversationDocument, { id: nothing })).toEqual({ conversation: null })
    expect(await alice.run(NodeDocument, { id: nothing })).toEqual({ node: null })
    const { errors } = await alice.execute(ConversationDocument, { id: 'malformed' })
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'id' } }])
  })

  it('finds conversations, messages and acquaintances', async () => {
    const id = await createConversation(alice, ['bob'], { title: 'T' })
    const message = await send(alice, id, 'hello')
    expect(await bob.run(NodeDocument, { id })).toEqual({ node: { __typename: 'Conversation', id, title: 'T' } })
    expect(await bob.run(NodeDocument, { id: message.id })).toMatchObject({
      node: { __typename: 'Message', body: 'hello' }
    })
    expect(await bob.run(NodeDocument, { id: 'alice' })).toEqual({
      node: { __typename: 'User', id: 'alice', name: 'alice' }
    })
  })
})

async function firstSeven(id: string, after: string | null) {
  return (await alice.run(MessagesDocument, { id, first: 7, after })).conversation?.messages
}
