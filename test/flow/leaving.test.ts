import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  AddMembersDocument,
  LeaveConversationDocument,
  MembersDocument,
  RemoveMemberDocument,
  SendMessageDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'

let conclave: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  bob = await conclave.as('bob')
})
afterAll(() => conclave.close())

describe('removing oneself', () => {
  it('is refused to owners and members alike, pointing to leaveConversation', async () => {
    const conversationId = await createConversation(alice, ['bob'])
    for (const [by, userId] of [
      [alice, 'alice'],
      [bob, 'bob']
    ] as const) {
      const { errors } = await by.execute(RemoveMemberDocument, { conversationId, userId })
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'userId' } }])
      expect(errors?.[0]?.message).toContain('leaveConversation')
    }
    const { conversation } = await alice.run(MembersDocument, { id: conversationId })
    expect(conversation?.members.totalCount).toBe(2)
  })
})

describe('a retry of a send from before leaving and coming back', () => {
  let input: { conversationId: string; clientMessageId: string }
  let earlier: string
  beforeEach(async () => {
    const conversationId = await createConversation(alice, ['bob'], { historyVisibility: 'SINCE_JOINED' })
    input = { conversationId, clientMessageId: 'sent once' }
    earlier = (await bob.run(SendMessageDocument, { input: { ...input, body: 'hello' } })).sendMessage.message.id
    await bob.run(LeaveConversationDocument, { conversationId })
    await alice.run(AddMembersDocument, { conversationId, userIds: ['bob'] })
  })

  it('is refused with another body, after a few statements', async () => {
    const { result, statements } = await counted(() =>
      bob.execute(SendMessageDocument, { input: { ...input, body: 'something else' } })
    )
    expect(result.errors).toMatchObject([
      { message: expect.stringContaining('used for another message'), extensions: { code: 'CONFLICT' } }
    ])
    expect(statements).toBeLessThan(20)
    expect(await readBack(alice, input.conversationId)).toHaveLength(3)
  })

  it('gives the message that it stored then, after a few statements', async () => {
    const { result, statements } = await counted(() =>
      bob.execute(SendMessageDocument, { input: { ...input, body: 'hello' } })
    )
    expect(result.data?.sendMessage.message).toMatchObject({ id: earlier, sequence: 1 })
    expect(statements).toBeLessThan(20)
    expect(await readBack(alice, input.conversationId)).toHaveLength(3)
  })

  it('stores nothing for somebody who has left and not come back', async () => {
    await bob.run(LeaveConversationDocument, { conversationId: input.conversationId })
    const { errors } = await bob.execute(SendMessageDocument, { input: { ...input, body: 'hello' } })
    expect(errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
  })
})

async function counted<T>(work: () => Promise<T>): Promise<{ result: T; statements: number }> {
  const run = vi.spyOn(conclave.services.database, 'run')
  try {
    return { result: await work(), statements: run.mock.calls.length }
  } finally {
    run.mockRestore()
  }
}
