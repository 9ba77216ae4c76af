import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Signals, Topic } from '../../src/delivery/signals.js'
import { type Carrier, type CarrierName, openCarrier } from '../support/carriers.js'
import { canStartRedis, hasRedis } from '../support/redis.js'

/** What carries signals is the same to everybody who uses them. */

describe('signals on PostgreSQL', () => describeSignals('PostgreSQL'))
describe.runIf(hasRedis)('signals on Redis', () => describeSignals('Redis'))
describe.runIf(canStartRedis)('signals on a Redis cluster', () => describeSignals('Redis cluster'))

/** In which a change of keys reaches every process. */
const SOON = { timeout: 5_000 }

function describeSignals(where: CarrierName): void {
  let carrier: Carrier
  let here: Signals
  let there: Signals
  const opened: Signals[] = []
  const open = async (how: 'open' | 'openThroughProxy' = 'open') => {
    const signals = await carrier[how]()
    opened.push(signals)
    return signals
  }
  beforeAll(async () => {
    carrier = await openCarrier(where)
  })
  afterAll(() => carrier.close())
  beforeEach(async () => {
    here = await open()
    there = await open()
    await untilHeard(here, there)
  })
  afterEach(async () => {
    carrier.proxy.restore()
    for (const signals of opened.splice(0)) await signals.close()
  })

  it('wake nobody of another topic, and nobody who has left', async () => {
    const [other, left, last] = [vi.fn(), vi.fn(), vi.fn()]
    there.subscribe('activity:other', other)
    const leave = there.subscribe('activity:a', left)
    there.subscribe('activity:a', last)
    leave()
    leave()
    await vi.waitFor(() => {
      here.publish('activity:a', 'for a')
      expect(last).toHaveBeenCalledWith('for a')
    }, SOON)
    for (const wake of [other, left]) expect(wake).not.toHaveBeenCalledWith('for a')
  })

  it('wake every listener of a topic, in every process, the one that signals included', async () => {
    const wakes = [vi.fn(), vi.fn(), vi.fn()]
    here.subscribe('operation:a', wakes[0] ?? fail)
    there.subscribe('operation:a', wakes[1] ?? fail)
    there.subscribe('operation:a', wakes[2] ?? fail)
    for (const wake of wakes) await untilWoken(here, 'operation:a', wake)
  })

  it('are of users whatever their ids hold', async () => {
    const ids = ['bob smith', 'bob', '{bob}', 'conclave:{keys}', 'bób “smith” 😀', ' ']
    const wakes = new Map(ids.map((id) => [`user:${id}` as const, vi.fn()]))
    for (const [topic, wake] of wakes) there.subscribe(topic, wake)
    for (const [topic, wake] of wakes) await untilWoken(here, topic, wake)
    const live = vi.fn()
    there.subscribe('user:bob smith', live)
    await vi.waitFor(() => {
      here.publish('user:bob smith', 'lives')
      expect(live).toHaveBeenCalledWith('lives')
    }, SOON)
    for (const [topic, wake] of wakes) {
      const payloads = wake.mock.calls.flat().filter((payload) => payload !== undefined)
      expect(new Set(payloads)).toEqual(new Set(topic === 'user:bob smith' ? ['lives'] : []))
    }
  })

  it('bring what is live only along, in its order', async () => {
    const wake = vi.fn()
    there.subscribe('activity:a', wake)
    await untilWoken(here, 'activity:a', wake)
    const payloads = ['{"userId":"bob smith","typing":true}', 'ü “quoted”', ' and with spaces ']
    for (const payload of payloads) here.publish('activity:a', payload)
    const arrived = () => wake.mock.calls.flat().filter((payload) => payload !== undefined)
    await vi.waitFor(() => expect(arrived()).toEqual(payloads), SOON)
  })

  it('of keys reach every process, with the conversation, and are repeated', async () => {
    const [hereWoken, thereWoken] = [vi.fn(), vi.fn()]
    here.onKeyChange(hereWoken)
    there.onKeyChange(thereWoken)
    here.publish('keys:a')
    await vi.waitFor(() => {
      expect(thereWoken.mock.calls.filter(([id]) => id === 'a').length).toBeGreaterThanOrEqual(3)
      expect(hereWoken).toHaveBeenCalledWith('a')
    }, SOON)
    // Null: a connection that has just come about may have missed some.
    expect(new Set([...thereWoken.mock.calls.flat(), null])).toEqual(new Set(['a', null]))
  })

  it('go over the same few connections however many listen, and leave nothing behind', async () => {
    const before = await carrier.connections()
    const keep = vi.fn()
    there.subscribe('conversation:kept', keep)
    const leave = Array.from({ length: 10_000 }, (_, index) => there.subscribe(`conversation:${index % 5_000}`, fail))
    await untilWoken(here, 'conversation:kept', keep)
    expect(await carrier.connections()).toBe(before)
    for (const one of leave) one()
    await vi.waitFor(
      async () => {
        const channels = await carrier.channels()
        expect(channels).toEqual(where === 'PostgreSQL' ? [] : ['conclave:conversation:kept'])
      },
      { timeout: 10_000, interval: 200 }
    )
    keep.mockClear()
    await untilWoken(here, 'conversation:kept', keep)
    expect(await carrier.connections()).toBe(before)
  })

  // A cluster tells its clients where its nodes are: there is no way around to send them.
  if (where === 'Redis cluster') return
  describe('over a connection that fails', () => {
    let cutOff: Signals
    const woken = vi.fn()
    const keysChanged = vi.fn()
    beforeEach(async () => {
      cutOff = await open('openThroughProxy')
      await untilHeard(here, cutOff)
      cutOff.subscribe('conversation:a', woken)
      cutOff.onKeyChange(keysChanged)
      await untilWoken(here, 'conversation:a', woken)
      woken.mockClear()
      keysChanged.mockClear()
    })

    it.each([
      ['cut', () => carrier.proxy.cut()],
      ['half closed', () => carrier.proxy.silence()]
    ])('that is %s have every key forgotten in time, and wake everybody once it is back', async (_, fail) => {
      fail()
      here.publish('conversation:a')
      here.publish('keys:a')
      await vi.waitFor(() => expect(keysChanged).toHaveBeenCalledWith(null), SOON)
      carrier.proxy.cut()
      for (const wake of [woken, keysChanged]) wake.mockClear()
      carrier.proxy.restore()
      await vi.waitFor(() => expect(woken).toHaveBeenCalled(), SOON)
      await vi.waitFor(() => expect(keysChanged).toHaveBeenCalledWith(null), SOON)
      await untilWoken(here, 'conversation:a', woken)
    })

    it('and is away for long never leave keys in reach for it', async () => {
      carrier.proxy.cut()
      await vi.waitFor(() => expect(keysChanged.mock.calls.length).toBeGreaterThanOrEqual(2), { timeout: 10_000 })
    })

    it.each([
      ['cut', () => carrier.proxy.cut()],
      ['half closed', () => carrier.proxy.silence()]
    ])('that is %s reach the others from there once it is back, where they are of keys', async (_, fail) => {
      const [heard, live] = [vi.fn(), vi.fn()]
      here.onKeyChange(heard)
      here.subscribe('activity:a', live)
      fail()
      cutOff.publish('keys:b')
      await vi.waitFor(() => expect(keysChanged).toHaveBeenCalledWith(null), SOON)
      cutOff.publish('activity:a', 'over by then')
      carrier.proxy.cut()
      carrier.proxy.restore()
      await vi.waitFor(() => expect(heard).toHaveBeenCalledWith('b'), SOON)
      expect(live).not.toHaveBeenCalledWith('over by then')
    })

    it('that is slow come late, and come', async () => {
      carrier.proxy.slow(500)
      here.publish('conversation:a')
      await vi.waitFor(() => expect(woken).toHaveBeenCalled(), SOON)
      await untilWoken(cutOff, 'conversation:a', woken)
    })
  })
}

/** Settles once each of the two hears the other. */
async function untilHeard(...both: [Signals, Signals]): Promise<void> {
  for (const [from, to] of [both, [...both].reverse() as [Signals, Signals]]) {
    const wake = vi.fn()
    const leave = to.subscribe('conversation:greeting', wake)
    await untilWoken(from, 'conversation:greeting', wake)
    leave()
  }
}

/** Signals until it is heard: a listener may have begun to listen only now. */
async function untilWoken(from: Signals, topic: Topic, wake: ReturnType<typeof vi.fn>): Promise<void> {
  wake.mockClear()
  await vi.waitFor(
    () => {
      from.publish(topic)
      expect(wake).toHaveBeenCalled()
    },
    { timeout: 5_000, interval: 20 }
  )
}

function fail(): void {}
