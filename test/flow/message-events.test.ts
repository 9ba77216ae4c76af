import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  DeleteConversationDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  LeaveConversationDocument,
  MessageEventsDocument,
  RemoveMemberDocument
} from '../../documents/generated.js'
import { messageStream } from '../../src/delivery/message-stream.js'
import { encodeCursor } from '../../src/graphql/cursor.js'
import { requireMessageId } from '../../src/graphql/ids.js'
import { editMessage } from '../../src/message/edit-message.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { brief, createConversation, eventCursor, follow, followLive, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { QuietSignals } from '../support/quiet-signals.js'
import { TestClock } from '../support/test-clock.js'

let conclave: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  bob = await conclave.as('bob')
})
afterAll(() => conclave.close())

describe('subscribing', () => {
  it('is refused with a cursor that was made up, or of another conversation, or of a later time', async () => {
    const [id, other] = [await createConversation(alice, []), await createConversation(alice, [])]
    const ahead = encodeCursor('event', id, '1')
    for (const after of ['', 'made up', ahead, await eventCursor(alice, other)]) {
      const ended = await alice.subscribe(MessageEventsDocument, { conversationId: id, after }).ended
      expect(ended).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'after' } }])
    }
  })

  it('delivers what is sent, edited and deleted, in order and in clear', async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await follow(bob, id)
    const first = await send(alice, id, 'first')
    const seen = [await events.next()]
    await alice.run(EditMessageDocument, { messageId: first.id, body: 'first, edited' })
    seen.push(await events.next())
    await alice.run(DeleteMessageDocument, { messageId: first.id })
    await send(bob, id, 'second')
    seen.push(...(await events.take(2)))
    expect(seen.map(brief)).toEqual(['SENT first', 'EDITED first, edited', 'DELETED null', 'SENT second'])
  })

  it('delivers each message once and in order from several senders at once', async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await follow(bob, id)
    const count = 60
    await Promise.all(
      Array.from({ length: count }, (_, index) => send(index % 2 ? alice : bob, id, `message ${index}`))
    )
    const received = await events.take(count)
    expect(received.map(({ messageEvents }) => messageEvents.message.sequence)).toEqual(
      Array.from({ length: count }, (_, index) => index + 1)
    )
  })

  it('after a thousand edits gives what was missed, each message once and in its present state', {
    timeout: 60_000
  }, async () => {
    const id = await createConversation(alice, ['bob'])
    const [seen, edited, deleted] = [
      await send(alice, id, 'seen'),
      await send(alice, id, 'a'),
      await send(alice, id, 'b')
    ]
    const cursor = await eventCursor(alice, id)
    await alice.run(EditMessageDocument, { messageId: seen.id, body: 'seen, then edited' })
    await editOften(edited.id, 1000)
    await alice.run(DeleteMessageDocument, { messageId: deleted.id })
    const fresh = await send(alice, id, 'new')
    await alice.run(EditMessageDocument, { messageId: fresh.id, body: 'new, and edited' })
    const events = bob.subscribe(MessageEventsDocument, { conversationId: id, after: cursor })
    expect((await events.take(4)).map(brief)).toEqual([
      'EDITED seen, then edited',
      'EDITED edit 1000',
      'DELETED null',
      'SENT new, and edited'
    ])
    await send(alice, id, 'live')
    expect(brief(await events.next())).toBe('SENT live')
  })

  it('may begin with the edit of a message that was never given: whoever takes each as it is has them all', async () => {
    const id = await createConversation(alice, ['bob'])
    const start = await eventCursor(alice, id)
    const first = await send(alice, id, 'first')
    await send(alice, id, 'second')
    await alice.run(EditMessageDocument, { messageId: first.id, body: 'first, edited' })
    const known = new Map<string, string | null>()
    let after = start
    for (const expected of ['SENT second', 'EDITED first, edited']) {
      const events = bob.subscribe(MessageEventsDocument, { conversationId: id, after })
      const event = await events.next()
      events.stop()
      expect(brief(event)).toBe(expected)
      known.set(event.messageEvents.message.id, event.messageEvents.message.body)
      after = event.messageEvents.cursor
    }
    expect(known).toEqual(new Map((await readBack(bob, id)).map((message) => [message.id, message.body])))
  })

  it('goes on from any cursor in a chain, without a gap or a repetition', async () => {
    const id = await createConversation(alice, ['bob'])
    let after = await eventCursor(alice, id)
    const bodies = Array.from({ length: 12 }, (_, index) => `message ${index}`)
    for (const body of bodies) await send(alice, id, body)
    const received: string[] = []
    for (let link = 0; link < 4; link++) {
      const events = bob.subscribe(MessageEventsDocument, { conversationId: id, after })
      const batch = await events.take(3)
      events.stop()
      received.push(...batch.map(({ messageEvents }) => messageEvents.message.body ?? ''))
      after = batch.at(-1)?.messageEvents.cursor ?? ''
    }
    expect(received).toEqual(bodies)
  })

  it('goes on from the cursors of one process in another, back and forth, without a gap or a repetition', async () => {
    const other = await bootConclave({ databaseUrl: conclave.database.url })
    try {
      const id = await createConversation(alice, ['bob'])
      const readers = [bob, await other.as('bob')]
      let after = await eventCursor(alice, id)
      const received: string[] = []
      for (let link = 0; link < 4; link++) {
        await send(alice, id, `missed ${link}`)
        const events = (readers[link % 2] ?? bob).subscribe(MessageEventsDocument, { conversationId: id, after })
        // One that it catches up with, and one that it follows live, from either process.
        const missed = await events.next()
        await send(link % 2 ? alice : await other.as('alice'), id, `live ${link}`)
        const live = await events.next()
        events.stop()
        received.push(brief(missed), brief(live))
        after = live.messageEvents.cursor
      }
      expect(received).toEqual([0, 1, 2, 3].flatMap((link) => [`SENT missed ${link}`, `SENT live ${link}`]))
    } finally {
      await other.close()
    }
  })

  it('catches up over more than one batch of the log', async () => {
    const id = await createConversation(alice, ['bob'])
    const after = await eventCursor(alice, id)
    await Promise.all(Array.from({ length: 250 }, (_, index) => send(alice, id, `message ${index}`)))
    const events = await bob.subscribe(MessageEventsDocument, { conversationId: id, after }).take(250)
    expect(events.map(({ messageEvents }) => messageEvents.message.sequence)).toEqual(
      Array.from({ length: 250 }, (_, index) => index + 1)
    )
  })
})

/** By the use case itself, one after the other. */
async function editOften(messageId: string, times: number): Promise<void> {
  const viewer = await conclave.services.authenticate(`Bearer ${await conclave.token('alice')}`)
  const key = requireMessageId('id', messageId)
  for (let edit = 1; edit <= times; edit++) await editMessage(conclave.services, viewer, key, `edit ${edit}`)
}

describe('a subscription', () => {
  it('of a member who is removed ends with FORBIDDEN before the next message', async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(bob, id)
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    await send(alice, id, 'without Bob')
    expect(await events.ended).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
    await expect(events.next()).rejects.toThrow('subscription ended')
  })

  it('of a member who leaves ends as well', async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(bob, id)
    await bob.run(LeaveConversationDocument, { conversationId: id })
    expect(await events.ended).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
  })

  it('of a deleted conversation completes', async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(bob, id)
    await alice.run(DeleteConversationDocument, { conversationId: id })
    expect(await events.ended).toBeNull()
  })

  it('delivers nothing more once its token has expired', async () => {
    const id = await createConversation(alice, ['bob'])
    const viewer = await conclave.services.authenticate(`Bearer ${await conclave.token('bob')}`)
    const clock = new TestClock(conclave.clock.now())
    const stream = await messageStream({ ...conclave.services, clock }, viewer, id, null, null)
    clock.advance(13 * 60 * 60 * 1000)
    await send(alice, id, 'after the token expired')
    await expect(stream.next()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  it('that nobody listens to any more leaves no listener behind', async () => {
    const id = await createConversation(alice, ['bob'])
    const watch = vi.spyOn(conclave.services.signals, 'subscribe')
    const unsubscribed: string[] = []
    watch.mockImplementation((conversationId) => () => unsubscribed.push(conversationId))
    const events = bob.subscribe(MessageEventsDocument, { conversationId: id })
    await vi.waitFor(() => expect(watch).toHaveBeenCalledWith(`conversation:${id}`, expect.any(Function)))
    events.stop()
    await vi.waitFor(() => expect(unsubscribed).toEqual([`conversation:${id}`]))
    watch.mockRestore()
  })

  // Were the signal lost, the poll would bring the message after five seconds, and the test would have timed out.
  it('misses nothing that is sent between its read and its wait', { timeout: 4_000 }, async () => {
    const id = await createConversation(alice, ['bob'])
    const viewer = await conclave.services.authenticate(`Bearer ${await conclave.token('bob')}`)
    const signals = new QuietSignals()
    const read = conclave.services.database.run.bind(conclave.services.database)
    const database = vi.spyOn(conclave.services.database, 'run')
    const stream = await messageStream({ ...conclave.services, signals }, viewer, id, null, null)
    database.mockImplementationOnce(async (statement, values) => {
      const rows = await read(statement, values)
      await send(alice, id, 'in between')
      signals.wake(`conversation:${id}`)
      return rows as never[]
    })
    expect((await stream.next()).value).toMatchObject({ type: 'SENT', message: { sequence: 1 } })
    database.mockRestore()
    await stream.return?.()
  })
})
