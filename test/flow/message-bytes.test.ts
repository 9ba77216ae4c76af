import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { SendMessageDocument } from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'

/** A query costs by its fields; what its messages weigh is bounded as well. */

const BODY = 'x'.repeat(64 * 1024)
/** Four pages of so many have less than 16 MiB, and five have more. */
const MESSAGES = 60

let conclave: TestConclave
let alice: GraphQLClient

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
})
afterAll(() => conclave.close())

type Pages = { conversation: Record<string, { edges: { node: { body: string } }[] }> }

const pages = async (count: number, fields: string, id: string) => {
  const page = `messages(last: ${MESSAGES}) { edges { node { ${fields} } } }`
  const aliases = Array.from({ length: count }, (_, n) => `p${n}: ${page}`)
  return await alice.post<Pages>({ query: `{ conversation(id: "${id}") { ${aliases.join(' ')} } }` })
}
const TOO_MUCH = { code: 'QUERY_TOO_COMPLEX', limit: 'bytes', max: 16 * 1024 * 1024 }

it('a query for more bytes of messages than 16 MiB is refused, and one for less is answered', async () => {
  const id = await createConversation(alice, [])
  for (let count = 0; count < MESSAGES; count++) await send(alice, id, BODY)
  const { errors } = await pages(5, 'body', id)
  expect(errors?.[0]?.extensions).toMatchObject(TOO_MUCH)
  const { data } = await pages(4, 'body', id)
  expect(data?.conversation.p3?.edges.map(({ node }) => node.body.length)).toEqual(Array(MESSAGES).fill(BODY.length))
})

it('so is one for the same message again and again, by those that reply to it', async () => {
  const id = await createConversation(alice, [])
  const { id: replyToId } = await send(alice, id, BODY)
  for (let count = 0; count < MESSAGES; count++) {
    await alice.run(SendMessageDocument, {
      input: { conversationId: id, body: 'yes', replyToId, clientMessageId: randomUUID() }
    })
  }
  const { errors } = await pages(5, 'replyTo { body }', id)
  expect(errors?.[0]?.extensions).toMatchObject(TOO_MUCH)
  expect((await pages(4, 'replyTo { body }', id)).errors).toBeUndefined()
})
