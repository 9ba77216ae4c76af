import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Follower, type LiveConsumer } from '../../src/delivery/follower.js'
import { inboxStream } from '../../src/delivery/inbox-stream.js'
import { messageStream } from '../../src/delivery/message-stream.js'
import { READ_LOG } from '../../src/delivery/read-log.js'
import type { Viewer } from '../../src/identity/viewer.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'

/** One feed for all who follow a conversation in a process. */

let conclave: TestConclave
let alice: GraphQLClient
let viewer: Viewer
let id: string
let end: number

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  viewer = await conclave.services.authenticate(`Bearer ${await conclave.token('alice')}`)
})
beforeEach(async () => {
  id = await createConversation(alice, [])
  await send(alice, id, 'before')
  const [row] = await conclave.services.database.run<{ end: number }>(
    { name: 'end-of-log', text: 'select last_change::int as "end" from conversations where id = $1' },
    [id]
  )
  end = row?.end ?? 0
})
afterAll(() => conclave.close())

describe('a follower', () => {
  it('is given what comes although it joined while the last of the others were leaving', async () => {
    const { feeds } = conclave.services
    const gone = follower(end)
    const behind = [follower(0), follower(0)]
    const latest = follower(end)
    const left = [gone, ...behind].map((each) => feeds.follow(id, each))
    // Between the leaving of one and of the next, who both have read too little for the feed.
    const joined = behind[0]?.left.then(() => feeds.follow(id, latest))
    gone.leave('GONE')
    expect(await Promise.all(left)).toEqual(['GONE', 'BEHIND', 'BEHIND'])
    await send(alice, id, 'after')
    await vi.waitFor(() => expect(latest.position).toBeGreaterThan(end))
    latest.leave('GONE')
    await joined
  })
})

describe('whoever has no room for what happens', () => {
  const opening = {
    'the stream of a conversation': (consumer: LiveConsumer) =>
      messageStream(conclave.services, viewer, id, null, consumer),
    'the stream of all conversations': (consumer: LiveConsumer) => inboxStream(conclave.services, viewer, [], consumer)
  }

  it.each(Object.entries(opening))('reads nothing until there is some: %s', async (_, open) => {
    const { promise: room, resolve: makeRoom } = Promise.withResolvers<void>()
    const take = vi.fn(() => false)
    const events = await open({ shareKey: 'the same', render: async () => 'rendered', take, room: () => room })
    const next = events.next()
    const run = vi.spyOn(conclave.services.database, 'run')
    await send(alice, id, 'no room for it')
    await vi.waitFor(() => expect(take).toHaveBeenCalled())
    // Long enough for a statement, were one made.
    await conclave.services.database.isReachable()
    expect(run.mock.calls.filter(([{ name }]) => name === READ_LOG.name)).toEqual([])
    makeRoom()
    expect((await next).value.type).toBe('SENT')
    await events.return?.()
    run.mockRestore()
  })
})

function follower(position: number): Follower {
  const consumer = {
    shareKey: 'the same',
    render: async () => 'rendered',
    take: () => true,
    room: async () => {}
  }
  return new Follower(viewer, 0, position, consumer)
}
