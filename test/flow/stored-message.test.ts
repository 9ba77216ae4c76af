import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  DeleteMessageDocument,
  RotateKeyDocument,
  ScheduleKeyDestructionDocument,
  StoredMessageDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { runDueWork } from '../support/worker-run.js'

const BODY = 'Grüße von Station 3'

let conclave: TestConclave
let alice: GraphQLClient
let id: string

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice', { scopes: ['keys:admin'] })
  id = await createConversation(alice, ['bob'])
})
afterAll(() => conclave.close())

describe('what is stored of a message', () => {
  it('is nothing to somebody who is not in the conversation, whatever scope they have', async () => {
    const message = await send(alice, id, BODY)
    const mallory = await conclave.as('mallory', { scopes: ['keys:read', 'keys:admin'] })
    expect(await mallory.run(StoredMessageDocument, { id: message.id })).toEqual({ storedMessage: null })
  })

  it('is each byte of the row, cut into its parts, and not the text', async () => {
    const message = await send(alice, id, BODY)
    const { storedMessage } = await alice.run(StoredMessageDocument, { id: message.id })
    const [row] = await conclave.database.query<{ envelope: Buffer; wrapped_key: Buffer }>(
      `select x.envelope, d.wrapped_key from messages x join data_keys d on d.conversation_id = x.conversation_id and d.id = x.data_key_id
        where x.conversation_id = $1 and x.sequence = $2`,
      [id, message.sequence]
    )
    const { format, suite, suiteName, nonce, ciphertext, tag } = storedMessage?.envelope ?? {}
    expect([format, suite, nonce, ciphertext, tag].join('')).toBe(row?.envelope.toString('hex'))
    expect({ format, suite, suiteName }).toEqual({ format: '01', suite: '01', suiteName: 'A256GCM' })
    expect([nonce, ciphertext, tag].map((part = '') => part.length / 2)).toEqual([12, Buffer.byteLength(BODY), 16])
    expect(ciphertext).not.toBe(Buffer.from(BODY).toString('hex'))
    expect(storedMessage).toMatchObject({
      revision: 0,
      keyVersion: message.keyVersion,
      keyState: 'ACTIVE',
      wrappedDataKey: row?.wrapped_key.toString('hex')
    })
  })

  it('is no envelope once the message is deleted', async () => {
    const message = await send(alice, id, BODY)
    await alice.run(DeleteMessageDocument, { messageId: message.id })
    expect(await alice.run(StoredMessageDocument, { id: message.id })).toMatchObject({
      storedMessage: { envelope: null }
    })
  })

  it('is an envelope without a data key once its key version is destroyed', async () => {
    const message = await send(alice, id, BODY)
    await alice.run(RotateKeyDocument, { conversationId: id })
    const version = message.keyVersion
    await alice.run(ScheduleKeyDestructionDocument, { conversationId: id, version, after: 'PT1S' })
    conclave.clock.advance(2_000)
    await runDueWork(conclave)
    const { storedMessage } = await alice.run(StoredMessageDocument, { id: message.id })
    expect(storedMessage).toMatchObject({ keyState: 'DESTROYED', wrappedDataKey: null, envelope: { format: '01' } })
  })
})
