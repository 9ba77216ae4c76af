import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  CreateConversationDocument,
  EditMessageDocument,
  MessagesDocument,
  RotateKeyDocument,
  SendMessageDocument,
  type SendMessageInput,
  type SendMessageMutation
} from '../../documents/generated.js'
import { membershipStream } from '../../src/delivery/membership-stream.js'
import { createSchema } from '../../src/graphql/schema.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { coordinateOf, isListField, listFields, listPaths, queryAlong, type Step } from '../support/list-paths.js'
import { fillPool } from '../support/many-conversations.js'
import { StatementCounter } from '../support/statement-counter.js'

/**
 * Round trips to the database. The lists are those of the schema: one that is new is asked for here without anybody
 * doing anything for it, and fails for want of rows, or of arguments, until it has them.
 */

/** Somebody who has `rows` of everything. */
interface Owner {
  rows: number
  client: GraphQLClient
  conversationId: string
  messageId: string
}

/** Lists of so many entries, whatever there is. */
const ALWAYS_AS_LONG: Record<string, number> = { 'DueRotations.days': 30 }

/** No query has these: what fills them is counted by itself. */
const OF_EVENTS = ['MembershipEvent.joined', 'MembershipEvent.left', 'MembershipEvent.read']

const schema = createSchema({ devToken: true })
const paths = listPaths(schema)

let conclave: TestConclave
let counter: StatementCounter
let few: Owner
let many: Owner

beforeAll(async () => {
  conclave = await bootConclave()
  await fillPool(conclave, 70)
  few = await ownerOf(2, 'few')
  many = await ownerOf(20, 'many')
  await finishedOperations(20)
  counter = new StatementCounter()
}, 120_000)
afterAll(async () => {
  counter.close()
  await conclave.close()
})

describe('the number of statements of a query does not grow with the number of rows', () => {
  it('of any list of the schema: all of them are asked for below', () => {
    const asked = paths.map((path) => coordinateOf(path.at(-1) as Step))
    expect(new Set([...asked, ...OF_EVENTS])).toEqual(new Set(listFields(schema)))
  })

  it('MembershipEvent', async () => {
    for (const [userId, { rows, conversationId }] of Object.entries({ few, many })) {
      const viewer = await conclave.services.authenticate(`Bearer ${await conclave.token(userId)}`)
      const stream = membershipStream(conclave.services, viewer, [conversationId])
      const { result, statements } = await counter.during(() => stream.next())
      expect(result.value).toEqual({ joined: [], left: [], read: [] })
      expect(statements, `with ${rows} conversations`).toEqual(['memberships-to-follow'])
      await stream.return?.()
    }
  })

  it.each(paths.map((path) => [nameOf(path), path] as const))('%s', async (_, path) => {
    const ofFew = await statementsOf(few, path)
    expect(await statementsOf(many, path)).toEqual(ofFew)
  })
})

describe('once everything about a conversation is known to the process', () => {
  it('a send is one statement, the authentication and the names of the answer included', async () => {
    const input = { conversationId: few.conversationId, body: 'warm' }
    await few.client.run(SendMessageDocument, { input })
    const { result, statements } = await counter.during(() => few.client.run(SendMessageDocument, { input }))
    expect(result.sendMessage.message).toMatchObject({ body: 'warm', sender: { name: 'few' }, status: 'READABLE' })
    expect(statements).toEqual(['store-message'])
  })

  it('a page of messages with their senders is three: the membership, the messages, the names', async () => {
    const page = { id: many.conversationId, last: 50 }
    await many.client.run(MessagesDocument, page)
    const { result, statements } = await counter.during(() => many.client.run(MessagesDocument, page))
    const edges = result.conversation?.messages.edges ?? []
    expect(new Set(edges.map(({ node }) => node.sender?.id)).size).toBe(20)
    // And one for what is replied to, where that is selected.
    expect(statements.sort()).toEqual(['find-conversations', 'find-messages', 'find-users', 'pages-of-messages-desc'])
  })

  it('an edit is two: the revision that it makes is part of what is encrypted', async () => {
    const { id } = await send(few.client, few.conversationId, 'first words')
    const { statements } = await counter.during(() =>
      few.client.run(EditMessageDocument, { messageId: id, body: 'second words' })
    )
    expect(statements).toEqual(['find-messages', 'edit-message'])
  })

  it('a conversation is created in one, with a pair from the pool that was found with others before', async () => {
    const input = { title: 'New', memberIds: ['member-1', 'member-2'] }
    const create = () => few.client.run(CreateConversationDocument, { input })
    // Those that were found before, rotations may have taken.
    await conclave.database.query('delete from pooled_keys')
    await fillPool(conclave, 3)
    await create()
    expect((await counter.during(create)).statements).toEqual([
      'create-conversation',
      // For a field of the answer.
      'count-unread'
    ])
  })
})

/** What a query along a path takes with nothing in the keyring, and what it takes again. */
async function statementsOf(owner: Owner, path: Step[]): Promise<{ cold: string[]; warm: string[] }> {
  await inventoryOf(owner)
  conclave.services.keyring.forgetAll()
  const cold = await statementsOnce(owner, path)
  return { cold, warm: await statementsOnce(owner, path) }
}

async function statementsOnce(owner: Owner, path: Step[]): Promise<string[]> {
  const query = queryAlong(schema, path, (coordinate) => argumentsOf(owner, path)[coordinate])
  const { result, statements } = await counter.during(() => owner.client.post<object>({ query }))
  expect(result.errors).toBeUndefined()
  for (const list of path.filter(isListField)) {
    const rows = ALWAYS_AS_LONG[coordinateOf(list)] ?? owner.rows
    expect(longest(result.data, list.field.name), `rows of ${coordinateOf(list)}`).toBe(rows)
  }
  return statements.sort()
}

function argumentsOf({ rows, conversationId, messageId }: Owner, path: Step[]): Record<string, string> {
  const page = `(first: ${rows})`
  return {
    'Query.conversation': `(id: "${conversationId}")`,
    'Query.conversationKeys': `(conversationId: "${conversationId}", first: ${rows})`,
    'Query.conversations': page,
    'Query.keyEvents': page,
    'Query.keyInventory': page,
    'Query.keyOperations': page,
    'Query.node': `(id: "${path[0]?.type?.name === 'Message' ? messageId : conversationId}")`,
    'Conversation.keys': page,
    'Conversation.members': page,
    'Conversation.messages': `(last: ${rows})`
  }
}

/** Length of the longest list under a name, anywhere in a result. */
function longest(data: unknown, name: string): number {
  if (typeof data !== 'object' || data === null) return 0
  return Math.max(
    0,
    ...Object.entries(data).map(([key, value]) =>
      Math.max(key === name && Array.isArray(value) ? value.length : 0, longest(value, name))
    )
  )
}

function nameOf(path: Step[]): string {
  return path.map(({ field, type }) => (field.name === 'node' && type ? type.name : field.name)).join('.')
}

/**
 * So many conversations with as many members and messages, each sent by another member and most a reply. The first
 * one has as many key versions, each with a message under it; the others have two.
 */
async function ownerOf(rows: number, id: string): Promise<Owner> {
  const numbers = Array.from({ length: rows }, (_, index) => index)
  const client = await conclave.as(id, { scopes: ['keys:read'] })
  const memberIds = numbers.slice(1).map((number) => `${id}-member-${number}`)
  const senders = [client, ...(await Promise.all(memberIds.map((member) => conclave.as(member))))]
  const filled = await Promise.all(
    numbers.map(async (number) => {
      const conversationId = await createConversation(client, memberIds, { title: `Number ${number}` })
      let replyToId: string | null = null
      for (const [index, sender] of senders.entries()) {
        const rotates = number === 0 ? index > 0 : index === rows - 1
        if (rotates) await client.run(RotateKeyDocument, { conversationId })
        const input: SendMessageInput = { conversationId, body: `message ${index}`, replyToId }
        const sent: SendMessageMutation = await sender.run(SendMessageDocument, { input })
        replyToId = sent.sendMessage.message.id
      }
      return { conversationId, messageId: replyToId ?? '' }
    })
  )
  const [first] = filled
  if (!first) throw new Error('there is a conversation')
  return { rows, client, ...first }
}

async function finishedOperations(count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await conclave.database.query(
      `insert into key_operations (id, kind, state, actor, total, created_at, finished_at)
       values ($1, 'ROTATE_DUE', 'SUCCEEDED', 'auditor', 0, now(), now())`,
      [randomUUID()]
    )
  }
}

/** The inventory of master keys has as many rows: the one that is current, and others that only the database knows. */
async function inventoryOf({ rows }: Owner): Promise<void> {
  await conclave.database.query(`delete from pooled_keys where master_key like 'local:absent-%'`)
  await conclave.database.query(
    `insert into pooled_keys (key_id, modulus_bits, public_key, wrapped_private_key, master_key, created_at)
     select gen_random_uuid(), 2048, '\\x00', '\\x00', 'local:absent-' || n, now() from generate_series(2, $1) n`,
    [rows]
  )
}
