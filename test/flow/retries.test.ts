import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  DeleteConversationDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  RemoveMemberDocument,
  RotateKeyDocument,
  ScheduleKeyDestructionDocument,
  SendMessageDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { holdConversation, untilWaiting } from '../support/held-transaction.js'
import { runDueWork } from '../support/worker-run.js'

/** Sends that are made again with the client message id of the first try, in this process or in another one. */

/** Stores the try of Alice, with bytes that nobody can open. */
const AS_ANOTHER_PROCESS = `
  with numbered as (
    update conversations set last_sequence = last_sequence + 1, last_change = last_change + 1 where id = $1
    returning id, last_sequence, last_change, data_key_id, last_activity_at
  )
  insert into messages (conversation_id, sequence, id, kind, sender_id, client_message_id, data_key_id, envelope,
                        created_change, change, created_at)
  select id, last_sequence, gen_random_uuid(), 'TEXT', 'alice', 'try', data_key_id, 'x', last_change, last_change,
         last_activity_at
    from numbered`

const DAY_MS = 24 * 60 * 60 * 1000

let conclave: TestConclave
let other: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient
let aliceElsewhere: GraphQLClient

beforeAll(async () => {
  conclave = await bootConclave()
  other = await bootConclave({ databaseUrl: conclave.database.url })
  await conclave.workerServices.keySupply.refill(6)
  alice = await conclave.as('alice')
  bob = await conclave.as('bob')
  aliceElsewhere = await other.as('alice')
})
afterAll(async () => {
  await other.close()
  await conclave.close()
})

describe('a retry', () => {
  it('is refused with another body, or as another reply, in another process as well', async () => {
    const id = await createConversation(alice, [])
    const { id: replyToId } = await send(alice, id, 'first')
    await trySend(alice, id, 'once')
    for (const changed of [{ body: 'twice' }, { replyToId }]) {
      const input = { conversationId: id, clientMessageId: 'try', body: 'once', ...changed }
      const { errors } = await aliceElsewhere.execute(SendMessageDocument, { input })
      expect(errors).toMatchObject([{ extensions: { code: 'CONFLICT' } }])
    }
    expect(await readBack(alice, id)).toHaveLength(2)
  })

  it('is refused to a removed member, and in a deleted conversation', async () => {
    const id = await createConversation(alice, ['bob'])
    await trySend(alice, id, 'once')
    await trySend(bob, id, 'once')
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    expect((await trySend(bob, id, 'once')).errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
    await alice.run(DeleteConversationDocument, { conversationId: id })
    for (const by of [alice, aliceElsewhere]) {
      expect((await trySend(by, id, 'once')).errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
    }
  })

  it('of an edited message answers with the message as it is now', async () => {
    const id = await createConversation(alice, [])
    const first = await trySend(alice, id, 'teh')
    const messageId = first.data?.sendMessage.message.id ?? ''
    await alice.run(EditMessageDocument, { messageId, body: 'the' })
    const again = await trySend(aliceElsewhere, id, 'teh')
    expect(again.data?.sendMessage.message).toMatchObject({ id: messageId, sequence: 1, body: 'the' })
  })

  it('of a deleted message says that it is deleted, and does not bring it back', async () => {
    const id = await createConversation(alice, [])
    const first = await trySend(alice, id, 'regretted')
    const messageId = first.data?.sendMessage.message.id ?? ''
    await alice.run(DeleteMessageDocument, { messageId })
    const again = await trySend(aliceElsewhere, id, 'regretted')
    expect(again.data?.sendMessage.message).toMatchObject({ id: messageId, status: 'DELETED', body: null })
    expect(await readBack(alice, id)).toHaveLength(1)
  })

  it('of a message whose key was destroyed says so, and does not store it under another', async () => {
    const aging = await bootConclave()
    const owner = await aging.as('alice')
    const admin = await aging.as('admin', { scopes: ['keys:admin'] })
    const id = await createConversation(owner, [])
    await trySend(owner, id, 'gone for good')
    await owner.run(RotateKeyDocument, { conversationId: id })
    await admin.run(ScheduleKeyDestructionDocument, { conversationId: id, version: 1, after: 'P7D' })
    aging.clock.advance(8 * DAY_MS)
    await runDueWork(aging)
    const again = await trySend(await aging.as('alice'), id, 'gone for good')
    expect(again.data?.sendMessage.message).toMatchObject({ sequence: 1, status: 'KEY_DESTROYED', body: null })
    expect(await readBack(await aging.as('alice'), id)).toHaveLength(1)
    await aging.close()
  })

  it('that races in two processes stores once, and fails none of those that go with it', async () => {
    const id = await createConversation(alice, ['bob'])
    await send(alice, id, 'first')
    await send(aliceElsewhere, id, 'second')
    const held = await holdConversation(conclave.database, id)
    const here = [trySend(alice, id, 'once')]
    await untilWaiting(conclave.database, 1)
    // Both statements began before either has stored: only the unique constraint can tell.
    const there = [trySend(aliceElsewhere, id, 'once')]
    await untilWaiting(conclave.database, 2)
    here.push(trySend(alice, id, 'once'), trySend(bob, id, 'once'), trySend(alice, id, 'mine', 'mine'))
    there.push(trySend(aliceElsewhere, id, 'once'), trySend(aliceElsewhere, id, 'theirs', 'theirs'))
    await held.commit()
    const results = await Promise.all([...here, ...there])
    expect(results.flatMap(({ errors }) => errors ?? [])).toEqual([])
    const messages = await readBack(alice, id)
    const stored = messages.map(({ sender, body }) => `${sender?.id} ${body}`)
    expect(stored.toSorted()).toEqual(
      ['alice first', 'alice mine', 'alice once', 'alice second', 'alice theirs', 'bob once'].toSorted()
    )
    expect(messages.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('in a group whose statement meets what another process has just stored fails none of the group', async () => {
    const id = await createConversation(alice, ['bob'])
    await send(alice, id, 'first')
    const held = await holdConversation(conclave.database, id)
    const ahead = send(alice, id, 'ahead')
    await untilWaiting(conclave.database, 1)
    const elsewhere = holdConversation(conclave.database, id)
    await untilWaiting(conclave.database, 2)
    const inLine = vi.spyOn(conclave.services.sendGroups, 'store')
    const group = [
      trySend(bob, id, 'before it', 'before'),
      trySend(alice, id, 'once'),
      trySend(bob, id, 'after it', 'after')
    ]
    await vi.waitFor(() => expect(inLine).toHaveBeenCalledTimes(3), 10_000)
    inLine.mockRestore()
    await held.commit()
    await ahead
    const process = await elsewhere
    await untilWaiting(conclave.database, 1)
    await process.query(AS_ANOTHER_PROCESS, [id])
    await process.commit()
    const results = await Promise.all(group)
    expect(results.flatMap(({ errors }) => errors ?? [])).toEqual([])
    expect(results[1]?.data?.sendMessage.message.sequence).toBe(3)
    expect((await readBack(alice, id)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5])
  })
})

describe('two tries in one group', () => {
  it('store once and give both the same message', async () => {
    const id = await createConversation(alice, ['bob'])
    await send(alice, id, 'first')
    const results = await Promise.all(Array.from({ length: 30 }, () => trySend(alice, id, 'once')))
    expect(new Set(results.map(({ data }) => data?.sendMessage.message.id)).size).toBe(1)
    expect(await readBack(alice, id)).toHaveLength(2)
  })

  it('with different bodies store one of them and refuse the other', async () => {
    const id = await createConversation(alice, [])
    await send(alice, id, 'first')
    const results = await Promise.all(['one', 'two'].map((body) => trySend(alice, id, body)))
    const codes = results.map(({ errors }) => errors?.[0]?.extensions.code ?? 'STORED')
    expect(codes.toSorted()).toEqual(['CONFLICT', 'STORED'])
    expect(await readBack(alice, id)).toHaveLength(2)
  })
})

async function trySend(by: GraphQLClient, conversationId: string, body: string, clientMessageId = 'try') {
  return await by.execute(SendMessageDocument, { input: { conversationId, clientMessageId, body } })
}
