import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { SendMessageDocument } from '../../documents/generated.js'
import { encodeMessageId } from '../../src/graphql/ids.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'

/**
 * Sends at random, all at once, against a model that knows for each one alone what must become of it: how they are
 * grouped must not show.
 */

interface Send {
  sender: 'alice' | 'bob' | 'stranger'
  reply: 'NONE' | 'FIRST' | 'UNKNOWN'
  clientMessageId: string | null
  body: string
}

const aSend: fc.Arbitrary<Send> = fc.record({
  sender: fc.constantFrom('alice', 'bob', 'alice', 'bob', 'stranger'),
  reply: fc.constantFrom('NONE', 'NONE', 'NONE', 'FIRST', 'UNKNOWN'),
  clientMessageId: fc.option(fc.constantFrom('a', 'b', 'c')),
  body: fc.constantFrom('x', 'y', ' ')
})

let conclave: TestConclave
const clients = new Map<string, GraphQLClient>()

beforeAll(async () => {
  conclave = await bootConclave({ dataKeyMaxMessages: 7 })
  for (const id of ['alice', 'bob', 'stranger']) clients.set(id, await conclave.as(id))
})
afterAll(() => conclave.close())

it('whatever is sent at once, each has the result that it has alone, and the log has no gap', {
  timeout: 120_000
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(aSend, { minLength: 1, maxLength: 40 }), async (sends) => {
      await conclave.workerServices.keySupply.refill(1)
      const alice = clientOf('alice')
      const id = await createConversation(alice, ['bob'])
      const first = await send(alice, id, 'first')
      const results = await Promise.all(sends.map((one) => run(id, first.id, one)))
      for (const [index, one] of sends.entries()) {
        expect(allowed(one, sends)).toContain(results[index]?.code)
      }
      const stored = results.flatMap(({ message }) => (message ? [message] : []))
      const log = await readBack(alice, id)
      expect(log.map(({ sequence }) => sequence)).toEqual(log.map((_, index) => index + 1))
      // Everything that was answered is in the log as it was answered, once, and nothing else is.
      expect(new Set(stored.map((message) => message.id))).toEqual(new Set(log.slice(1).map((message) => message.id)))
      for (const message of stored) expect(log[message.sequence - 1]).toEqual(message)
      expect(log.length - 1).toBe(storedOnce(sends, results))
    }),
    { numRuns: 40 }
  )
})

/** Two sends of one id race for it: the one that comes second is refused, unless it is a retry of the first. */
function allowed(one: Send, sends: Send[]): string[] {
  if (one.body === ' ') return ['BAD_USER_INPUT']
  if (one.sender === 'stranger') return ['NOT_FOUND']
  const rivals = sends.filter((each) => each !== one && isStorable(each) && isSameTry(each, one))
  const isClash = rivals.some((each) => each.body !== one.body || each.reply !== one.reply)
  if (one.reply === 'UNKNOWN') return isClash ? ['BAD_USER_INPUT', 'CONFLICT'] : ['BAD_USER_INPUT']
  return isClash ? ['STORED', 'CONFLICT'] : ['STORED']
}

function isStorable({ sender, reply, body }: Send): boolean {
  return sender !== 'stranger' && reply !== 'UNKNOWN' && body !== ' '
}

function isSameTry(one: Send, two: Send): boolean {
  return one.clientMessageId !== null && one.clientMessageId === two.clientMessageId && one.sender === two.sender
}

/** How many messages there must be: one for each try of its own, whatever its retries. */
function storedOnce(sends: Send[], results: { code: string }[]): number {
  const names = sends.map((one, index) => (one.clientMessageId ? `${one.sender} ${one.clientMessageId}` : `${index}`))
  return new Set(names.filter((_, index) => results[index]?.code === 'STORED')).size
}

async function run(conversationId: string, firstId: string, { sender, reply, clientMessageId, body }: Send) {
  const unknown = encodeMessageId({ conversationId, messageId: '00000000-0000-4000-8000-000000000000' })
  const replyToId = { NONE: null, FIRST: firstId, UNKNOWN: unknown }[reply]
  const input = { conversationId, clientMessageId, replyToId, body }
  const { data, errors } = await clientOf(sender).execute(SendMessageDocument, { input })
  return { code: errors?.[0]?.extensions.code ?? 'STORED', message: data?.sendMessage.message }
}

function clientOf(userId: string): GraphQLClient {
  const client = clients.get(userId)
  if (!client) throw new Error(`${userId} is not in the test`)
  return client
}
