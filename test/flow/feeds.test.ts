import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Follower } from '../../src/delivery/follower.js'
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

function follower(position: number): Follower {
  const consumer = {
    shareKey: 'the same',
    render: async () => 'rendered',
    take: () => true,
    room: async () => {}
  }
  return new Follower(viewer, 0, position, consumer)
}
