import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  DeleteConversationDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  KeysDocument,
  RemoveMemberDocument,
  RotateKeyDocument,
  SendMessageDocument,
  SetMemberRoleDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { holdConversation, holdTransaction, untilWaiting } from '../support/held-transaction.js'

/**
 * Two requests that meet on the same rows. A lock that is held from outside makes them wait in a known
 * order; PostgreSQL serves those who wait for one row in the order in which they came.
 */

let conclave: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient

beforeAll(async () => {
  conclave = await bootConclave()
  // With an empty pool a removal begins anew once it has a key pair, and loses its place in the order.
  await conclave.workerServices.keySupply.refill(5)
  alice = await conclave.as('alice')
  bob = await conclave.as('bob')
})
afterAll(() => conclave.close())

describe('a send', () => {
  it('that waits while its sender is being removed is refused, and no message lies after the removal', async () => {
    const id = await conversationWithMessage()
    const [removed, sent] = await inOrder(
      id,
      () => alice.execute(RemoveMemberDocument, { conversationId: id, userId: 'bob' }),
      () => bob.execute(SendMessageDocument, { input: { conversationId: id, body: 'too late' } })
    )
    expect(removed.errors).toBeUndefined()
    expect(sent.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
    expect(await bodies(id)).toEqual(['by Bob', 'alice removed bob'])
  })

  it('that came before the removal of its sender is stored before it', async () => {
    const id = await conversationWithMessage()
    const [sent, removed] = await inOrder(
      id,
      () => bob.execute(SendMessageDocument, { input: { conversationId: id, body: 'just in time' } }),
      () => alice.execute(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    )
    expect([sent.data?.sendMessage.message.sequence, removed.errors]).toEqual([2, undefined])
    expect(await bodies(id)).toEqual(['by Bob', 'just in time', 'alice removed bob'])
  })

  it('that waits while its conversation is being deleted is refused, and stores nothing', async () => {
    const id = await conversationWithMessage()
    const [deleted, sent] = await inOrder(
      id,
      () => alice.execute(DeleteConversationDocument, { conversationId: id }),
      () => bob.execute(SendMessageDocument, { input: { conversationId: id, body: 'too late' } })
    )
    expect(deleted.errors).toBeUndefined()
    expect(sent.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
    expect(await storedMessages(id)).toHaveLength(1)
  })

  it('that came before the deletion of its conversation is stored, and cannot be opened after it', async () => {
    const id = await conversationWithMessage()
    const [sent, deleted] = await inOrder(
      id,
      () => bob.execute(SendMessageDocument, { input: { conversationId: id, body: 'just in time' } }),
      () => alice.execute(DeleteConversationDocument, { conversationId: id })
    )
    expect([sent.data?.sendMessage.message.sequence, deleted.errors]).toEqual([2, undefined])
    const keys = 'select from data_keys where conversation_id = $1 and wrapped_key is not null'
    expect(await conclave.database.query(keys, [id])).toEqual([])
  })
})

describe('an edit', () => {
  it('that waits while its message is being deleted is refused, and brings nothing back', async () => {
    const id = await conversationWithMessage()
    const messageId = (await readBack(bob, id))[0]?.id ?? ''
    const [deleted, edited] = await inOrder(
      id,
      () => alice.execute(DeleteMessageDocument, { messageId }),
      () => bob.execute(EditMessageDocument, { messageId, body: 'back again' })
    )
    expect(deleted.data?.deleteMessage.message.status).toBe('DELETED')
    expect(edited.errors).toMatchObject([{ extensions: { code: 'CONFLICT' } }])
    expect(await storedMessages(id)).toEqual([{ envelope: null, revision: 0 }])
  })

  it('that came before the deletion of its message leaves nothing behind', async () => {
    const id = await conversationWithMessage()
    const messageId = (await readBack(bob, id))[0]?.id ?? ''
    const [edited, deleted] = await inOrder(
      id,
      () => bob.execute(EditMessageDocument, { messageId, body: 'for a moment' }),
      () => alice.execute(DeleteMessageDocument, { messageId })
    )
    expect(edited.errors).toBeUndefined()
    expect(deleted.data?.deleteMessage.message).toMatchObject({ status: 'DELETED', body: null })
    expect(await storedMessages(id)).toEqual([{ envelope: null, revision: 1 }])
  })
})

describe('rotating a key', () => {
  it.each([
    ['is removed', 'delete from members', 'NOT_FOUND'],
    ['becomes a plain member', `update members set role = 'MEMBER'`, 'FORBIDDEN']
  ])('by an owner who %s while it waits is refused, and nothing rotates', async (_, change, code) => {
    const id = await createConversation(alice, ['bob'])
    await alice.run(SetMemberRoleDocument, { conversationId: id, userId: 'bob', role: 'OWNER' })
    const held = await holdTransaction(conclave.database)
    await held.query(`${change} where conversation_id = $1 and user_id = 'bob'`, [id])
    const rotating = bob.execute(RotateKeyDocument, { conversationId: id })
    await untilWaiting(conclave.database, 1)
    await held.commit()
    expect((await rotating).errors).toMatchObject([{ extensions: { code } }])
    const { conversation } = await alice.run(KeysDocument, { id })
    expect(conversation?.keys.map(({ version, state }) => [version, state])).toEqual([[1, 'ACTIVE']])
  })
})

/** With a data key in use, so that nothing but the requests of the test touches the conversation's row. */
async function conversationWithMessage(): Promise<string> {
  const id = await createConversation(alice, ['bob'])
  await send(bob, id, 'by Bob')
  return id
}

/** Runs two requests at once: both wait for the conversation or behind each other, the first of them in front. */
async function inOrder<A, B>(id: string, first: () => Promise<A>, second: () => Promise<B>): Promise<[A, B]> {
  const held = await holdConversation(conclave.database, id)
  const begun = first()
  await untilWaiting(conclave.database, 1)
  const behind = second()
  await untilWaiting(conclave.database, 2)
  await held.commit()
  return await Promise.all([begun, behind])
}

async function bodies(id: string): Promise<(string | null)[]> {
  return (await readBack(alice, id)).map(({ body }) => body)
}

async function storedMessages(id: string): Promise<object[]> {
  return await conclave.database.query('select envelope, revision from messages where conversation_id = $1', [id])
}
