import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { TestConclave } from '../support/boot.js'
import { brief, createConversation, followLive, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { canStartRedis } from '../support/redis.js'
import { bootTwoOn, type TwoProcesses } from '../support/two-processes.js'

/** Alice and Bob are on two processes, which have nothing in common but their stores: no signal, no matter, but for latency. */

describe('with signals on PostgreSQL', () => describeLoss('PostgreSQL'))
describe.runIf(canStartRedis)('with signals on Redis', () => describeLoss('Redis'))

/** Less than the poll, which brings after five seconds what no signal has brought. */
const BEFORE_THE_POLL = { timeout: 4_000 }

function describeLoss(where: 'PostgreSQL' | 'Redis'): void {
  let processes: TwoProcesses
  let here: TestConclave
  let alice: GraphQLClient
  let bob: GraphQLClient

  beforeAll(async () => {
    processes = await bootTwoOn(where)
    here = processes.here
    alice = await here.as('alice')
    bob = await processes.there.as('bob')
  })
  afterAll(() => processes.close())
  afterEach(() => {
    vi.restoreAllMocks()
  })

  describe('a message', () => {
    it('arrives at once at a subscriber of another process, in both directions', BEFORE_THE_POLL, async () => {
      const id = await createConversation(alice, ['bob'])
      const [atBobs, atAlices] = [await followLive(bob, id), await followLive(alice, id)]
      await atBobs.next()
      for (const sender of [alice, bob]) {
        await send(sender, id, 'across')
        expect([brief(await atBobs.next()), brief(await atAlices.next())]).toEqual(['SENT across', 'SENT across'])
      }
    })

    it('of which the signal is lost arrives with the next poll', { timeout: 20_000 }, async () => {
      const id = await createConversation(alice, ['bob'])
      const events = await followLive(bob, id)
      const publish = vi.spyOn(here.services.signals, 'publish').mockImplementation(() => {})
      await send(alice, id, 'without a signal')
      expect(brief(await events.next())).toBe('SENT without a signal')
      expect(publish).toHaveBeenCalled()
    })

    it('arrives although the connections that listen have just been dropped', BEFORE_THE_POLL, async () => {
      const id = await createConversation(alice, ['bob'])
      const events = await followLive(bob, id)
      await processes.untilListening()
      await processes.dropListeners()
      await send(alice, id, 'unheard')
      expect(brief(await events.next())).toBe('SENT unheard')
    })

    it('arrives at once again when the connections are back', { timeout: 10_000 }, async () => {
      const id = await createConversation(alice, ['bob'])
      const events = await followLive(bob, id)
      await processes.dropListeners()
      await processes.untilListening()
      const begun = performance.now()
      for (const body of ['heard', 'heard again']) {
        await send(alice, id, body)
        expect(brief(await events.next())).toBe(`SENT ${body}`)
      }
      expect(performance.now() - begun).toBeLessThan(BEFORE_THE_POLL.timeout)
    })
  })

  describe('two hundred messages of which half the signals are lost, others late, twice, or out of order', () => {
    it('arrive all the same, each once and in order, before the next poll but one', { timeout: 30_000 }, async () => {
      const id = await createConversation(alice, ['bob'])
      const events = await followLive(bob, id)
      const { signals } = here.services
      const publish = signals.publish.bind(signals)
      let signalled = 0
      vi.spyOn(signals, 'publish').mockImplementation((topic) => {
        const turn = signalled++ % 4
        if (turn < 2) return
        setTimeout(() => publish(topic), turn * 20)
        publish(topic)
      })
      const bodies = Array.from({ length: 200 }, (_, index) => `message ${index}`)
      for (const body of bodies) await send(alice, id, body)
      const sentAt = performance.now()
      const arrived = await events.take(bodies.length)
      expect(arrived.map(brief)).toEqual(bodies.map((body) => `SENT ${body}`))
      expect(performance.now() - sentAt).toBeLessThan(6_000)
    })
  })
}
