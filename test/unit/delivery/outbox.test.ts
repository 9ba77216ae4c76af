import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Outbox } from '../../../src/delivery/outbox.js'
import type { Signal } from '../../../src/delivery/signals.js'
import { createLogger } from '../../../src/log.js'

let sent: Signal[][]
let fail: boolean
let outbox: Outbox

beforeEach(() => {
  vi.useFakeTimers()
  sent = []
  fail = false
  outbox = new Outbox(async (batch) => {
    if (fail) throw new Error('no')
    sent.push(batch)
  }, createLogger('silent'))
})
afterEach(async () => {
  await outbox.close()
  vi.useRealTimers()
})

const topics = () => sent.flat().map(({ topic }) => topic)
/** Lets the batches that are under way come to their end. */
const settle = () => vi.advanceTimersByTimeAsync(0)

describe('an outbox without a connection', () => {
  it('keeps a bounded number of signals, and of more keys says that any may have changed', async () => {
    for (let index = 0; index < 20_000; index++) {
      outbox.publish({ topic: `keys:${index}` })
      outbox.publish({ topic: `conversation:${index}` })
    }
    outbox.open()
    await settle()
    expect(topics().length).toBeLessThanOrEqual(10_001)
    expect(topics()).toContain('keys:*')
  })

  it('keeps a topic once, and nothing that is live only', async () => {
    outbox.publish({ topic: 'activity:a', payload: 'typing' })
    for (let time = 0; time < 3; time++) outbox.publish({ topic: 'conversation:a' })
    outbox.open()
    await settle()
    expect(topics()).toEqual(['conversation:a'])
  })
})

describe('an outbox', () => {
  it('sends again the keys that could not be sent, and leaves the rest to the polls', async () => {
    fail = true
    outbox.open()
    outbox.publish({ topic: 'conversation:a' })
    await settle()
    outbox.publish({ topic: 'keys:a' })
    await settle()
    fail = false
    await vi.advanceTimersByTimeAsync(1_000)
    expect(topics()).toEqual(['keys:a'])
  })

  it('repeats a signal of keys three times within five seconds, and has no timer then', async () => {
    outbox.open()
    outbox.publish({ topic: 'keys:a' })
    await vi.advanceTimersByTimeAsync(4_999)
    expect(topics()).toEqual(['keys:a', 'keys:a', 'keys:a', 'keys:a'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('sends in one batch what has gathered meanwhile, a state that came back last', async () => {
    outbox.open()
    outbox.publish({ topic: 'conversation:first' })
    for (const payload of ['on', 'off', 'on']) outbox.publish({ topic: 'activity:a', payload })
    for (let time = 0; time < 3; time++) outbox.publish({ topic: 'conversation:a' })
    await settle()
    expect(sent.slice(1)).toEqual([
      [{ topic: 'activity:a', payload: 'off' }, { topic: 'activity:a', payload: 'on' }, { topic: 'conversation:a' }]
    ])
  })

  it('sends the last of it before it closes', async () => {
    outbox.open()
    outbox.publish({ topic: 'conversation:a' })
    outbox.publish({ topic: 'conversation:b' })
    await outbox.close()
    expect(topics()).toEqual(['conversation:a', 'conversation:b'])
  })

  it('takes no payload for a part of an id', async () => {
    outbox.publish({ topic: 'user:before' })
    outbox.open()
    const signals: Signal[] = [{ topic: 'user:bob smith' }, { topic: 'user:bob', payload: 'smith' }]
    for (const signal of signals) outbox.publish(signal)
    await settle()
    expect(sent.at(-1)).toEqual(signals)
  })
})
