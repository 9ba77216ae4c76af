import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'

/** Changes stored bytes behind the server's back, and looks at what members then see. */

let conclave: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient
let id: string

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  bob = await conclave.as('bob')
})
afterAll(() => conclave.close())

const BODIES = ['the first, by Alice', 'the second, by Alice', 'the third, by Bob']

beforeEach(async () => {
  id = await createConversation(alice, ['bob'])
  for (const [index, body] of BODIES.entries()) await send(index < 2 ? alice : bob, id, body)
})

describe('a stored message', () => {
  const set = (change: string) => `update messages set ${change} where conversation_id = $1 and sequence = 2`
  const TAMPERINGS: Record<string, string> = {
    'with one bit of its format flipped': set('envelope = set_bit(envelope, 0, 1 - get_bit(envelope, 0))'),
    'with one bit of its suite flipped': set('envelope = set_bit(envelope, 9, 1 - get_bit(envelope, 9))'),
    'with one bit of its nonce flipped': set('envelope = set_bit(envelope, 20, 1 - get_bit(envelope, 20))'),
    'with one bit of its ciphertext flipped': set('envelope = set_bit(envelope, 120, 1 - get_bit(envelope, 120))'),
    'with the last bit of its tag flipped': set(
      'envelope = set_bit(envelope, length(envelope) * 8 - 1, 1 - get_bit(envelope, length(envelope) * 8 - 1))'
    ),
    'cut short by a byte': set('envelope = substr(envelope, 1, length(envelope) - 1)'),
    'cut down to four bytes': set('envelope = substr(envelope, 1, 4)'),
    emptied: set(`envelope = ''`),
    'replaced by another message of the same sender': set(
      'envelope = (select envelope from messages where conversation_id = $1 and sequence = 1)'
    ),
    'given to another sender': set(`sender_id = 'bob'`),
    'given another id': set('id = gen_random_uuid()'),
    'given another revision': set('revision = 1')
  }

  it.each(Object.keys(TAMPERINGS))('%s is unreadable, and its neighbours are read', async (name) => {
    await conclave.database.query(TAMPERINGS[name] ?? '', [id])
    await expectOnlySecondUnreadable()
  })

  it('moved from another conversation is unreadable, also with its data key', async () => {
    const other = await createConversation(alice, ['bob'])
    await send(alice, other, 'elsewhere')
    await conclave.database.query(
      `insert into data_keys select $1, id, key_version, wrapped_key, created_at from data_keys where conversation_id = $2`,
      [id, other]
    )
    await conclave.database.query(
      `update messages m set envelope = o.envelope, data_key_id = o.data_key_id from messages o
        where m.conversation_id = $1 and m.sequence = 2 and o.conversation_id = $2 and o.sequence = 1`,
      [id, other]
    )
    await expectOnlySecondUnreadable()
  })

  it('is named in the log by its ids, without a byte of what is secret', async () => {
    await conclave.database.query(TAMPERINGS['cut short by a byte'] ?? '', [id])
    await readBack(bob, id)
    const entries = conclave
      .logged()
      .split('\n')
      .filter((line) => line.includes(id) && line.includes('fails authentication'))
    const [row] = await conclave.database.query<{ id: string }>(
      'select id from messages where conversation_id = $1 and sequence = 2',
      [id]
    )
    expect(JSON.parse(entries.at(-1) ?? '')).toMatchObject({ conversationId: id, messageId: row?.id, sequence: 2 })
    for (const body of BODIES) expect(conclave.logged()).not.toContain(body)
  })
})

describe('a stored key', () => {
  const flipLast = (column: string) =>
    `${column} = set_bit(${column}, length(${column}) * 8 - 1, 1 - get_bit(${column}, length(${column}) * 8 - 1))`
  const TAMPERINGS: Record<string, string> = {
    'wrapped data key with a flipped bit': `update data_keys set ${flipLast('wrapped_key')} where conversation_id = $1`,
    'wrapped data key cut short': `update data_keys set wrapped_key = substr(wrapped_key, 1, 100) where conversation_id = $1`,
    'wrapped private key with a flipped bit': `update conversation_keys set ${flipLast('wrapped_private_key')} where conversation_id = $1`,
    'private key wrapped for another key id': `update conversation_keys set key_id = gen_random_uuid() where conversation_id = $1`,
    'private key under a master key that this process does not have': `update conversation_keys set master_key = 'local:gone' where conversation_id = $1`
  }

  it.each(Object.keys(TAMPERINGS))('(%s) makes its messages unreadable and all look alike', async (name) => {
    // The database itself would refuse some of this.
    await conclave.database.query('alter table conversation_keys disable trigger user')
    await conclave.database.query(TAMPERINGS[name] ?? '', [id])
    conclave.services.keyring.forgetAll()
    const read = (await readBack(bob, id)).map(({ status, body }) => ({ status, body }))
    expect(read).toEqual(BODIES.map(() => ({ status: 'UNREADABLE', body: null })))
  })

  it('that cannot be opened does not stop members from sending: a new data key needs the public half only', async () => {
    await conclave.database.query(TAMPERINGS['private key under a master key that this process does not have'] ?? '', [
      id
    ])
    const fresh = await bootConclave({ databaseUrl: conclave.database.url })
    const message = await send(await fresh.as('bob'), id, 'sent all the same')
    expect(message).toMatchObject({ sequence: 4, status: 'READABLE', body: 'sent all the same' })
    await fresh.close()
  })
})

async function expectOnlySecondUnreadable(): Promise<void> {
  conclave.services.keyring.forgetAll()
  const read = (await readBack(bob, id)).map(({ status, body }) => ({ status, body }))
  expect(read).toEqual([
    { status: 'READABLE', body: BODIES[0] },
    { status: 'UNREADABLE', body: null },
    { status: 'READABLE', body: BODIES[2] }
  ])
}
