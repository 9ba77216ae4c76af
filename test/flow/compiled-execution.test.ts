import { type ExecutionArgs, execute, parse } from 'graphql'
import * as jit from 'graphql-jit'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { arrivalBy, contextOf } from '../../src/graphql/context.js'
import { formatError } from '../../src/graphql/format-error.js'
import { formatResult } from '../../src/graphql/prepare-operation.js'
import { createSchema } from '../../src/graphql/schema.js'
import type { Viewer } from '../../src/identity/viewer.js'
import { createLogger } from '../../src/log.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import { askOver, TRANSPORTS } from '../support/transports.js'

/** Compiled operations answer as the reference implementation of graphql does, over every transport. */

vi.mock('graphql-jit', { spy: true })

const PAGE = `query Page($id: ID!, $last: Int, $after: String) {
  conversation(id: $id) {
    ...Names
    viewerRole unreadCount createdAt
    messages(last: $last, after: $after) {
      edges { cursor node { id sequence status kind createdAt editedAt text: body sender { ...Name } replyTo { id } } }
      pageInfo { hasPreviousPage endCursor }
    }
  }
}
fragment Name on User { id name }
fragment Names on Conversation { title members(first: 5) { totalCount nodes { role user { ...Name } } } }`
const MARK = `mutation Mark($id: ID!, $sequence: Int!) {
  markRead(conversationId: $id, sequence: $sequence) { conversation { id unreadCount } }
}`
const TWICE = `mutation Twice($id: ID!, $none: ID!) {
  one: markRead(conversationId: $id, sequence: 1) { conversation { id } }
  other: markRead(conversationId: $none, sequence: 1) { conversation { id } }
}`
const SKIPPED = 'query Skipped($id: ID!, $skip: Boolean!) { conversation(id: $id) { id @skip(if: $skip) unreadCount } }'
const NODE = 'query Node($id: ID!) { node(id: $id) { __typename ... on Conversation { unreadCount } } }'

const schema = createSchema({ devToken: true })
let conclave: TestConclave
let viewer: Viewer
/** Of alice, who has read one of two messages. */
let id: string
/** Of somebody else. */
let none: string

beforeAll(async () => {
  conclave = await bootConclave()
  const alice = await conclave.as('alice', { name: 'Alice' })
  viewer = await conclave.services.authenticate(`Bearer ${await conclave.token('alice', { name: 'Alice' })}`)
  id = await createConversation(alice, ['bob'], { title: 'Two' })
  none = await createConversation(await conclave.as('bob'), [])
  for (const body of ['one', 'two']) await send(alice, id, body)
})
afterAll(() => conclave.close())

/** What the reference implementation answers, as a client sees it. */
async function reference(query: string, variables: Record<string, unknown>): Promise<unknown> {
  const contextValue = contextOf(conclave.services, viewer, arrivalBy('http'))
  const args: ExecutionArgs = { schema, document: parse(query), variableValues: variables, contextValue }
  const log = createLogger('silent')
  return asSent(formatResult(await execute(args), (error) => formatError(log, error, false)))
}

/** In the order of their paths: fields that fail at the same time do so in no certain order. */
function asSent(result: object): { errors?: object[] } {
  const { errors, ...rest } = JSON.parse(JSON.stringify(result)) as { errors?: { path?: unknown }[] }
  const ordered = errors?.sort((a, b) => (String(a.path) < String(b.path) ? -1 : 1))
  return { ...rest, ...(ordered ? { errors: ordered } : {}) }
}

let operations = 0

describe.each(TRANSPORTS)('over %s', (transport) => {
  /**
   * Asks three times for an operation that nobody else asks for: by the third it is compiled, if it ever is.
   *
   * @returns the third answer, that of the reference implementation, and whether it was compiled
   */
  async function compare(query: string, variables: Record<string, unknown>) {
    const name = `Operation${++operations}`
    const text = query.replace(/(?<=query |mutation )\w+/, name)
    const token = await conclave.token('alice', { name: 'Alice' })
    const ask = async () => asSent(await askOver(transport, conclave.url, token, { query: text, variables }))
    await ask()
    await ask()
    const ours = await ask()
    const isCompiled = vi.mocked(jit.compileQuery).mock.calls.some(([, , compiled]) => compiled === name)
    return { ours, theirs: await reference(text, variables), isCompiled }
  }

  it.each([
    ['a variable that does not fit', PAGE, false, () => ({ id, last: 'x' })],
    ['a variable that is missing', PAGE, true, () => ({ last: 2 })],
    ['a conversation of others', MARK, true, () => ({ id: none, sequence: 1 })],
    ['an argument out of range', MARK, true, () => ({ id, sequence: -1 })],
    ['one of two mutations that fails', TWICE, true, () => ({ id, none })]
  ])('refuses %s in the same words', async (_, query, executable, variables) => {
    const { ours, theirs, isCompiled } = await compare(query, variables())
    expect(ours).toEqual(theirs)
    expect(ours.errors).toHaveLength(1)
    expect(isCompiled).toBe(executable)
  })

  it.each([
    ['a page of messages', PAGE, true, () => ({ id, last: 2, after: null })],
    ['a page with variables left out', PAGE, true, () => ({ id, last: 1 })],
    ['what is not there', PAGE, true, () => ({ id: none, last: 1 })],
    ['a mutation', MARK, true, () => ({ id, sequence: 1 })],
    ['a directive', SKIPPED, false, () => ({ id, skip: true })],
    ['an interface', NODE, false, () => ({ id })]
  ])('answers %s alike', async (_, query, compilable, variables) => {
    const { ours, theirs, isCompiled } = await compare(query, variables())
    expect(ours).toEqual(theirs)
    expect(ours.errors).toBeUndefined()
    expect(isCompiled).toBe(compilable)
  })
})
