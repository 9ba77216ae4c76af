import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest'
import { DeleteConversationDocument, RemoveMemberDocument } from '../../documents/generated.js'
import type { Activity } from '../../src/delivery/activity.js'
import { activityStream, TYPING_MS } from '../../src/delivery/activity-stream.js'
import { Alarm } from '../../src/delivery/alarm.js'
import { POLL_MS } from '../../src/delivery/slow-poll.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { QuietSignals } from '../support/quiet-signals.js'
import { runDueWork } from '../support/worker-run.js'

/** One stream of activity whose signals and time a test has in its hands. */

let conclave: TestConclave
let alice: GraphQLClient
let id: string
let signals: QuietSignals
let events: AsyncIterableIterator<Activity>

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
})
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  id = await createConversation(alice, ['bob'])
  signals = new QuietSignals()
  const viewer = await conclave.services.authenticate(`Bearer ${await conclave.token('bob')}`)
  events = await activityStream({ ...conclave.services, signals }, viewer, id)
})
afterEach(async () => {
  await events.return?.()
  vi.useRealTimers()
  vi.restoreAllMocks()
})
afterAll(() => conclave.close())

describe('a stream of activity', () => {
  it('passes over what is no activity', async () => {
    signals.wake(`activity:${id}`, '{"kind":')
    signals.wake(`activity:${id}`, '{"kind":"READ","userId":"alice","sequence":"all"}')
    expect(await nextRead(1)).toMatchObject({ value: { sequence: 1 } })
  })

  it('of a removed member ends although the signal of it is lost, however often something happens', async () => {
    expect(await nextRead(1)).toMatchObject({ value: { kind: 'READ', sequence: 1 } })
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    expect(await nextRead(2)).toMatchObject({ value: { sequence: 2 } })
    const asked = vi.spyOn(conclave.services.database, 'run')
    vi.advanceTimersByTime(POLL_MS)
    await Promise.all(asked.mock.results.map(({ value }) => value))
    await nextTurn()
    await expect(nextRead(3)).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })

  it('goes on for a member, whom a poll finds where it was', async () => {
    const asked = vi.spyOn(conclave.services.database, 'run')
    vi.advanceTimersByTime(POLL_MS)
    expect(asked).toHaveBeenCalledOnce()
    await Promise.all(asked.mock.results.map(({ value }) => value))
    expect(await nextRead(1)).toMatchObject({ value: { sequence: 1 } })
  })

  it('says by itself that somebody types no more, six seconds after it was said last', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const waits = vi.spyOn(Alarm.prototype, 'wait')
    const begun = events.next()
    await untilWaiting(waits, 1)
    signals.wake(`activity:${id}`, JSON.stringify({ kind: 'TYPING', userId: 'alice', typing: true }))
    expect((await begun).value).toEqual({ kind: 'TYPING', userId: 'alice', typing: true })
    const ended = vi.fn()
    const end = events.next().then(ended)
    // The poll comes first, and finds nothing.
    await untilWaiting(waits, 2)
    pass(POLL_MS + 1)
    await untilWaiting(waits, 3)
    pass(TYPING_MS - POLL_MS - 2)
    await nextTurn()
    expect(ended).not.toHaveBeenCalled()
    pass(1)
    await end
    expect(ended).toHaveBeenCalledWith({ done: false, value: { kind: 'TYPING', userId: 'alice', typing: false } })
  })

  it('of a deleted conversation completes, also where its rows are gone before it looks', async () => {
    await alice.run(DeleteConversationDocument, { conversationId: id })
    await runDueWork(conclave)
    expect(await conclave.database.query('select from conversations where id = $1', [id])).toEqual([])
    signals.wake('user:bob')
    expect(await nextRead(1)).toEqual({ done: true, value: undefined })
  })
})

/** On all clocks. */
function pass(ms: number): void {
  conclave.clock.advance(ms)
  vi.advanceTimersByTime(ms)
}

async function untilWaiting(waits: MockInstance<Alarm['wait']>, times: number): Promise<void> {
  while (waits.mock.calls.length < times) await nextTurn()
}

/** Says that somebody has read up to there, and takes what comes of it. */
function nextRead(sequence: number): Promise<IteratorResult<Activity>> {
  const next = events.next()
  signals.wake(`activity:${id}`, JSON.stringify({ kind: 'READ', userId: 'alice', sequence }))
  return next
}
