import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { InboxEventsDocument, MessageEventsDocument, RemoveMemberDocument } from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, eventCursor, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'

const RUNS = 200
const FLOOD = 12

let here: TestConclave
let there: TestConclave
let alice: GraphQLClient

beforeAll(async () => {
  here = await bootConclave()
  there = await bootConclave({ databaseUrl: here.database.url })
  alice = await here.as('alice')
})
afterAll(async () => {
  await there.close()
  await here.close()
})

describe(`a member who is removed in the middle of a flood of messages, ${RUNS} times`, () => {
  it('gets none that lies after the removal, and all that lie before what ended the stream', {
    timeout: 300_000
  }, async () => {
    for (let run = 0; run < RUNS; run++) {
      const id = await createConversation(alice, ['bob'], { keyPolicy: { rotateOnMemberRemoval: false } })
      const after = await eventCursor(alice, id)
      const bob = await (run % 2 ? here : there).as('bob')
      const one = bob.subscribe(MessageEventsDocument, { conversationId: id, after })
      const all = bob.subscribe(InboxEventsDocument, { resume: [{ conversationId: id, after }] })
      await send(alice, id, 'live?')
      const seen = [(await one.next()).messageEvents.message.sequence]
      const seenInInbox = [(await all.next()).inboxEvents.message.sequence]
      const flood = Array.from({ length: FLOOD }, (_, index) => send(alice, id, `message ${index}`))
      const removal = alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
      await Promise.all([...flood, removal])
      expect(await one.ended).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
      // The inbox goes on: another conversation shows that it is past this one.
      const other = await createConversation(alice, ['bob'])
      await send(alice, other, 'elsewhere')
      seen.push(...(await rest(() => one.next().then(({ messageEvents }) => messageEvents.message.sequence))))
      for (;;) {
        const { message } = (await all.next()).inboxEvents
        if (message.conversation.id === other) break
        seenInInbox.push(message.sequence)
      }
      const notice = (await readBack(alice, id)).find(({ kind }) => kind === 'SYSTEM')?.sequence ?? 0
      for (const sequences of [seen, seenInInbox]) {
        expect(sequences).toEqual(sequences.map((_, index) => index + 1))
        expect(sequences.at(-1)).toBeLessThan(notice)
      }
      all.stop()
      await bob.close()
    }
  })
})

/** What had arrived before the end. */
async function rest<T>(next: () => Promise<T>): Promise<T[]> {
  const got: T[] = []
  for (;;) {
    try {
      got.push(await next())
    } catch {
      return got
    }
  }
}
