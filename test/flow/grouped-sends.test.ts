import { afterAll, beforeAll, describe, expect, it, type MockInstance, vi } from 'vitest'
import {
  DeleteConversationDocument,
  RemoveMemberDocument,
  RotateKeyDocument,
  SendMessageDocument,
  type SendMessageInput
} from '../../documents/generated.js'
import type { Database, Statement } from '../../src/database/database.js'
import { encodeMessageId } from '../../src/graphql/ids.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { holdConversation, untilWaiting } from '../support/held-transaction.js'

/**
 * What this process sends to one conversation at the same time. The first statement is held from outside, until
 * everything else has gathered behind it.
 */

let conclave: TestConclave
let statements: MockInstance<Database['run']>
let unmocked: Database['run']
let alice: GraphQLClient
let bob: GraphQLClient
let carol: GraphQLClient

beforeAll(async () => {
  conclave = await bootConclave()
  unmocked = conclave.services.database.run.bind(conclave.services.database)
  statements = vi.spyOn(conclave.services.database, 'run')
  await conclave.workerServices.keySupply.refill(8)
  alice = await conclave.as('alice')
  bob = await conclave.as('bob')
  carol = await conclave.as('carol')
})
afterAll(() => conclave.close())

describe('a message of a group', () => {
  it('is refused alone, and the others are stored in their order', async () => {
    const id = await conversationWithMessage(['bob', 'carol'])
    await conclave.database.query(`delete from members where conversation_id = $1 and user_id = 'bob'`, [id])
    await alice.run(SendMessageDocument, { input: { conversationId: id, body: 'once', clientMessageId: 'once' } })
    const replyToId = encodeMessageId({ conversationId: id, messageId: '00000000-0000-4000-8000-000000000000' })
    const results = await inOneGroup(id, [
      [alice, { body: 'one' }],
      [bob, { body: 'of a removed member' }],
      [carol, { body: 'two' }],
      [alice, { body: 'a reply to nothing', replyToId }],
      [alice, { body: 'not once', clientMessageId: 'once' }],
      [alice, { body: 'once', clientMessageId: 'once' }],
      [carol, { body: 'three' }]
    ])
    const outcomes = [null, 'NOT_FOUND', null, 'BAD_USER_INPUT', 'CONFLICT', null, null]
    expect(results.map(({ errors }) => errors?.[0]?.extensions.code ?? null)).toEqual(outcomes)
    expect(results.map(({ data }) => data?.sendMessage.message.sequence)).toEqual([
      4,
      undefined,
      5,
      undefined,
      undefined,
      2,
      6
    ])
    expect(await bodies(id)).toEqual(['first', 'once', 'held', 'one', 'two', 'three'])
  })

  it('that is too long, or of a stranger, does not come into it', async () => {
    const id = await conversationWithMessage([])
    const results = await inOneGroup(id, [
      [alice, { body: 'x'.repeat(65_537) }],
      [bob, { body: 'of a stranger' }],
      [alice, { body: 'fine' }]
    ])
    const codes = results.map(({ errors }) => errors?.[0]?.extensions.code)
    expect(codes).toEqual(['BAD_USER_INPUT', 'NOT_FOUND', undefined])
    expect(await bodies(id)).toEqual(['first', 'held', 'fine'])
  })

  it('is refused like the others once the conversation is deleted, and none is stored', async () => {
    const id = await conversationWithMessage(['bob'])
    const held = await holdConversation(conclave.database, id)
    const deleting = alice.execute(DeleteConversationDocument, { conversationId: id })
    await untilWaiting(conclave.database, 1)
    const sending = Promise.all([1, 2, 3].map(() => bob.execute(SendMessageDocument, input(id, { body: 'late' }))))
    await untilWaiting(conclave.database, 2)
    await held.commit()
    expect((await deleting).errors).toBeUndefined()
    const codes = (await sending).map(({ errors }) => errors?.[0]?.extensions.code)
    expect(codes).toEqual(['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND'])
    expect(await stored(id)).toHaveLength(1)
  })

  it('whose statement is rolled back leaves nothing half done, and the next one goes on from there', async () => {
    const id = await conversationWithMessage(['bob'])
    await refuseToStore('carol')
    await conclave.database.query(
      `insert into members select conversation_id, 'carol', 'MEMBER', joined_at, 0
                                     from members where conversation_id = $1 and user_id = 'bob'`,
      [id]
    )
    const before = await row(id)
    const sends = [bob, carol, bob].map((by) => by.execute(SendMessageDocument, input(id, { body: 'x' })))
    const results = await Promise.all(sends)
    expect(
      results.flatMap(({ errors }) => errors ?? []).every(({ extensions }) => extensions.code === 'INTERNAL')
    ).toBe(true)
    const count = results.filter(({ data }) => data?.sendMessage).length
    expect(await row(id)).toEqual({
      last_sequence: before.last_sequence + count,
      last_change: before.last_change + count,
      data_key_uses: before.data_key_uses + count
    })
    await conclave.database.query('drop trigger refuse on messages')
    expect((await send(carol, id, 'afterwards')).sequence).toBe(before.last_sequence + count + 1)
  })
})

describe('a group that is stored in halves, for what another process has stored meanwhile,', () => {
  it('fails those only whose half fails: the others are stored, answered and signalled', async () => {
    const id = await conversationWithMessage(['bob', 'carol'])
    const signalled = vi.spyOn(conclave.services.signals, 'publish')
    statements.mockImplementation(async (statement, values) => {
      const senders = statement.name === 'store-messages' ? (values[5] as string[]) : []
      if (senders.length === 4) throw Object.assign(new Error('stored meanwhile'), { code: '23505' })
      if (senders.includes('carol')) throw new Error('the connection was lost')
      return (await unmocked(statement, values)) as never[]
    })
    const results = await inOneGroup(id, [
      [alice, { body: 'one' }],
      [bob, { body: 'two' }],
      [carol, { body: 'three' }],
      [bob, { body: 'four' }]
    ])
    statements.mockImplementation(unmocked)
    expect(results.map(({ errors }) => errors?.[0]?.extensions.code)).toEqual([
      undefined,
      undefined,
      'INTERNAL',
      'INTERNAL'
    ])
    expect(await bodies(id)).toEqual(['first', 'held', 'one', 'two'])
    // Of the one that was held, and of each of the two.
    expect(signalled.mock.calls.filter(([topic]) => topic === `conversation:${id}`)).toHaveLength(3)
    signalled.mockRestore()
  })
})

describe('a group', () => {
  it('of sixty-four concurrent senders takes few statements, and their sequences have no gaps', async () => {
    const id = await conversationWithMessage(['bob', 'carol'])
    const senders = [alice, bob, carol]
    statements.mockClear()
    const sends = Array.from({ length: 64 }, (_, index) => [senders[index % 3] ?? alice, { body: `${index}` }] as const)
    const results = await inOneGroup(id, sends)
    const sequences = results.map(({ data }) => data?.sendMessage.message.sequence)
    expect(sequences.toSorted((a = 0, b = 0) => a - b)).toEqual(Array.from({ length: 64 }, (_, index) => index + 3))
    expect(storing()).toBe(2)
    const changes = await conclave.database.query(
      'select sequence, change::integer from messages where conversation_id = $1 order by sequence',
      [id]
    )
    expect(changes).toEqual(Array.from({ length: 66 }, (_, index) => ({ sequence: index + 1, change: index + 1 })))
  })

  it('is one message when nobody else sends, and its statement runs at once', async () => {
    const id = await conversationWithMessage([])
    statements.mockClear()
    for (const body of ['one', 'two', 'three']) await send(alice, id, body)
    expect(storing()).toBe(3)
    expect(await bodies(id)).toEqual(['first', 'one', 'two', 'three'])
  })

  it('of large messages is split, so that no statement carries more than a quarter of a mebibyte', async () => {
    const id = await conversationWithMessage([])
    statements.mockClear()
    const sends = Array.from({ length: 12 }, () => [alice, { body: 'x'.repeat(60_000) }] as const)
    const results = await inOneGroup(id, sends)
    expect(results.every(({ errors }) => errors === undefined)).toBe(true)
    expect(storing()).toBe(1 + 12 / 4)
  })

  it('of one conversation does not hold up another', async () => {
    const [busy, other] = [await conversationWithMessage([]), await conversationWithMessage([])]
    const held = await holdConversation(conclave.database, busy)
    const waiting = Array.from({ length: 40 }, () => send(alice, busy, 'waits'))
    await untilWaiting(conclave.database, 1)
    expect((await send(alice, other, 'does not wait')).sequence).toBe(2)
    await held.commit()
    expect(await Promise.all(waiting)).toHaveLength(40)
  })
})

describe('a limit in the middle of a group', () => {
  it('of the data key sends the rest again under the next data key', async () => {
    const limited = await bootConclave({ dataKeyMaxMessages: 5 })
    const owner = await limited.as('alice')
    const id = await createConversation(owner, [])
    await Promise.all(Array.from({ length: 23 }, (_, index) => send(owner, id, `message ${index}`)))
    const perKey = await limited.database.query(
      `select count(*)::integer as messages, min(d.message_count + case when c.data_key_id = d.id then c.data_key_messages else 0 end) as counted
         from messages m join data_keys d on d.conversation_id = m.conversation_id and d.id = m.data_key_id
         join conversations c on c.id = m.conversation_id
        where m.conversation_id = $1 group by m.data_key_id order by min(sequence)`,
      [id]
    )
    expect(perKey).toEqual([5, 5, 5, 5, 3].map((messages) => ({ messages, counted: messages })))
    await limited.close()
  })

  it('of the key sends the rest again under the next version, and none over the limit', async () => {
    await conclave.workerServices.keySupply.refill(8)
    const id = await createConversation(alice, [], { keyPolicy: { rotateAfterMessages: 3 } })
    await Promise.all(Array.from({ length: 20 }, (_, index) => send(alice, id, `message ${index}`)))
    const versions = (await readBack(alice, id)).map(({ keyVersion }) => keyVersion)
    expect(versions).toEqual(Array.from({ length: 20 }, (_, index) => Math.floor(index / 3) + 1))
  })

  it('of time that an unused key has passed lets one message through, and the rest go under the next version', async () => {
    const aging = await bootConclave()
    const id = await createConversation(await aging.as('alice'), [])
    aging.clock.advance(31 * 24 * 60 * 60 * 1000)
    const later = await aging.as('alice')
    const results = await inOneGroup(
      id,
      [1, 2, 3].map((n) => [later, { body: `${n}` }] as const),
      aging
    )
    expect(results.every(({ errors }) => errors === undefined)).toBe(true)
    expect((await readBack(later, id)).map(({ keyVersion }) => keyVersion)).toEqual([1, 2, 2, 2])
    await aging.close()
  })
})

describe('a flood', () => {
  it('in which the key is rotated fails nobody, and stores nothing under a version that was deactivated', async () => {
    await conclave.workerServices.keySupply.refill(12)
    const id = await createConversation(alice, ['bob', 'carol'])
    const rotating = (async () => {
      for (let count = 0; count < 10; count++) await alice.run(RotateKeyDocument, { conversationId: id })
    })()
    const senders = [alice, bob, carol].flatMap((by) => Array.from({ length: 8 }, () => by))
    const sending = senders.map(async (by, index) => {
      for (let count = 0; count < 10; count++) await send(by, id, `${index}:${count}`)
    })
    await Promise.all([rotating, ...sending])
    const messages = await readBack(alice, id)
    expect(messages.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 240 }, (_, index) => index + 1))
    const versions = messages.map(({ keyVersion }) => keyVersion)
    expect(versions).toEqual(versions.toSorted((a, b) => a - b))
    for (const [index] of senders.entries()) {
      const own = messages.flatMap(({ body }) => (body?.startsWith(`${index}:`) ? [body] : []))
      expect(own).toEqual(Array.from({ length: 10 }, (_, count) => `${index}:${count}`))
    }
  })

  it('in which a member is removed stores nothing of his after the removal, and fails nobody else', async () => {
    const id = await conversationWithMessage(['bob'])
    const flood = Array.from({ length: 60 }, (_, index) =>
      (index % 2 ? bob : alice).execute(SendMessageDocument, input(id, { body: index % 2 ? 'by Bob' : 'by Alice' }))
    )
    const removing = alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    const results = await Promise.all(flood)
    await removing
    expect(results.filter((_, index) => index % 2 === 0).every(({ errors }) => errors === undefined)).toBe(true)
    const log = await bodies(id)
    expect(log.slice(log.indexOf('alice removed bob'))).not.toContain('by Bob')
    expect(log.filter((body) => body === 'by Alice')).toHaveLength(30)
  })
})

/** With a data key in use, so that the next send is its statement and nothing else. */
async function conversationWithMessage(memberIds: string[]): Promise<string> {
  const id = await createConversation(alice, memberIds)
  await send(alice, id, 'first')
  return id
}

function input(conversationId: string, rest: Omit<SendMessageInput, 'conversationId'>): { input: SendMessageInput } {
  return { input: { conversationId, ...rest } }
}

/** Sends while a first send waits for the conversation: in this order, together. */
async function inOneGroup(
  id: string,
  sends: (readonly [GraphQLClient, Omit<SendMessageInput, 'conversationId'>])[],
  { database, services, as } = conclave
) {
  const held = await holdConversation(database, id)
  const first = send(await as('alice'), id, 'held')
  await untilWaiting(database, 1)
  const store = vi.spyOn(services.sendGroups, 'store')
  const sending = []
  for (const [by, message] of sends) {
    const arrived = store.mock.calls.length
    const result = by.execute(SendMessageDocument, input(id, message))
    sending.push(result)
    // In line, or refused before: then the next one comes.
    await Promise.race([result, vi.waitFor(() => expect(store.mock.calls.length).toBeGreaterThan(arrived), 10_000)])
  }
  store.mockRestore()
  await held.commit()
  await first
  return await Promise.all(sending)
}

function storing(): number {
  return statements.mock.calls.filter(([{ name }]: [Statement, ...unknown[]]) => name?.startsWith('store-message'))
    .length
}

async function bodies(id: string): Promise<(string | null)[]> {
  return (await readBack(alice, id)).map(({ body }) => body)
}

async function stored(id: string): Promise<object[]> {
  return await conclave.database.query('select sequence from messages where conversation_id = $1', [id])
}

/** Ends every statement that stores a message of this sender, and with it its transaction. */
async function refuseToStore(senderId: string): Promise<void> {
  await conclave.database.query(`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$`)
  await conclave.database.query(`
    create trigger refuse before insert on messages for each row when (new.sender_id = '${senderId}') execute function refuse()`)
}

interface Counters {
  last_sequence: number
  last_change: number
  data_key_uses: number
}

async function row(id: string): Promise<Counters> {
  const [found] = await conclave.database.query<Counters>(
    'select last_sequence, last_change::integer, data_key_uses from conversations where id = $1',
    [id]
  )
  if (!found) throw new Error('there is such a conversation')
  return found
}
