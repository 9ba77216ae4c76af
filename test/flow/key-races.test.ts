import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  AddMembersDocument,
  DeleteConversationDocument,
  MarkKeyCompromisedDocument,
  MessagesDocument,
  ReencryptConversationDocument,
  RemoveMemberDocument,
  RotateDueKeysDocument,
  RotateKeyDocument,
  SetMemberRoleDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient, Result } from '../support/graphql-client.js'
import { holdConversation, untilWaiting } from '../support/held-transaction.js'
import { runDueWork } from '../support/worker-run.js'

/** What needs the keys of one conversation at the same moment: in an order that the test decides, or with many of them. */

let conclave: TestConclave
let alice: GraphQLClient
let admin: GraphQLClient
let id: string

beforeAll(async () => {
  conclave = await bootConclave()
  await conclave.workerServices.keySupply.refill(12)
  alice = await conclave.as('alice')
  admin = await conclave.as('admin', { scopes: ['keys:admin'] })
})
afterAll(() => conclave.close())

describe('with a re-encryption under way', () => {
  it('a rotation and a compromise at once are both done', async () => {
    await conversationBeingReencrypted()
    const [rotated, compromised] = await inThisOrder(
      () => alice.execute(RotateKeyDocument, { conversationId: id }),
      () => admin.execute(MarkKeyCompromisedDocument, { conversationId: id, version: 1 })
    )
    expect([rotated.errors, compromised.errors]).toEqual([undefined, undefined])
  })

  it('the removal of a member and the deletion of the conversation at once are both done', async () => {
    await conversationBeingReencrypted()
    await alice.run(AddMembersDocument, { conversationId: id, userIds: ['bob', 'carol'] })
    await alice.run(SetMemberRoleDocument, { conversationId: id, userId: 'bob', role: 'OWNER' })
    const bob = await conclave.as('bob')
    const [removed, deleted] = await inThisOrder(
      () => bob.execute(RemoveMemberDocument, { conversationId: id, userId: 'carol' }),
      () => alice.execute(DeleteConversationDocument, { conversationId: id })
    )
    expect([removed.errors, deleted.errors]).toEqual([undefined, undefined])
  })
})

describe('a re-encryption that was asked for just before the conversation was deleted', () => {
  it('ends, and says why', async () => {
    id = await rotatedConversation()
    const [, deleted] = await inThisOrder(
      () => admin.execute(ReencryptConversationDocument, { conversationId: id, fromVersion: 1 }),
      () => alice.execute(DeleteConversationDocument, { conversationId: id })
    )
    expect(deleted.errors).toBeUndefined()
    await runDueWork(conclave)
    const operations = await conclave.database.query(
      `select kind, state, error from key_operations where conversation_id = $1 order by kind`,
      [id]
    )
    expect(operations).toEqual([
      { kind: 'PURGE', state: 'SUCCEEDED', error: null },
      { kind: 'REENCRYPT', state: 'FAILED', error: 'The conversation was deleted.' }
    ])
  })
})

describe('rotating all due keys', () => {
  it('is not begun a second time while it is under way', async () => {
    const asked = await Promise.all([1, 2].map(() => admin.execute(RotateDueKeysDocument)))
    expect(asked.map(({ errors }) => errors?.[0]?.extensions.code).sort()).toEqual(['CONFLICT', undefined])
  })
})

describe('with many who send', () => {
  it('fifty rotations fail nobody who sends or reads, and no message lies under a version deactivated before it', async () => {
    const id = await createConversation(alice, ['bob'])
    const bob = await conclave.as('bob')
    await conclave.workerServices.keySupply.refill(50)
    let rotating = true
    const rotations = (async () => {
      for (let count = 0; count < 50; count++) await alice.run(RotateKeyDocument, { conversationId: id })
    })().finally(() => {
      rotating = false
    })
    const senders = Array.from({ length: 8 }, async (_, index) => {
      while (rotating) await send(index % 2 ? alice : bob, id, `by sender ${index}`)
    })
    const readers = Array.from({ length: 4 }, async () => {
      while (rotating) for (const { status } of await lastPage(bob, id)) expect(status).toBe('READABLE')
    })
    await Promise.all([...senders, rotations, ...readers])
    const messages = await readBack(bob, id)
    expect(messages.map(({ sequence }) => sequence)).toEqual(messages.map((_, index) => index + 1))
    expect(new Set(messages.map(({ keyVersion }) => keyVersion)).size).toBeGreaterThan(10)
    // Versions follow each other in the order of storing: none is used again once a later one was.
    const versions = messages.map(({ keyVersion }) => keyVersion)
    expect(versions).toEqual([...versions].sort((a, b) => a - b))
  })

  it('a key that is due by a count of one fails none of a hundred and fifty at once', {
    timeout: 120_000
  }, async () => {
    const id = await createConversation(alice, [], { keyPolicy: { rotateAfterMessages: 1 } })
    await conclave.workerServices.keySupply.refill(160)
    await Promise.all(Array.from({ length: 150 }, (_, index) => send(alice, id, `message ${index}`)))
    const messages = await readBack(alice, id)
    expect(new Set(messages.map(({ keyVersion }) => keyVersion)).size).toBe(150)
    expect(messages.every(({ status }) => status === 'READABLE')).toBe(true)
  })
})

async function rotatedConversation(): Promise<string> {
  const made = await createConversation(alice, [])
  await send(alice, made, 'under version 1')
  await alice.run(RotateKeyDocument, { conversationId: made })
  return made
}

async function conversationBeingReencrypted(): Promise<void> {
  id = await rotatedConversation()
  await admin.run(ReencryptConversationDocument, { conversationId: id, fromVersion: 1 })
}

/** Both wait for the conversation, the first before the second, and then have it one after the other. */
async function inThisOrder<A, B>(
  first: () => Promise<Result<A>>,
  second: () => Promise<Result<B>>
): Promise<[Result<A>, Result<B>]> {
  const held = await holdConversation(conclave.database, id)
  const one = first()
  await untilWaiting(conclave.database, 1)
  const other = second()
  await untilWaiting(conclave.database, 2)
  await held.commit()
  return [await one, await other]
}

async function lastPage(reader: GraphQLClient, id: string) {
  const { conversation } = await reader.run(MessagesDocument, { id, last: 50 })
  return conversation?.messages.edges.map(({ node }) => node) ?? []
}
