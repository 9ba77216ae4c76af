import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Collector } from '../../../src/metrics/collector.js'

let nowMs = 0
let collected = 0

beforeEach(() => {
  nowMs = 1_000
  collected = 0
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
})
afterEach(() => vi.restoreAllMocks())

/** One that looks for so long. */
function collectorOf(tookMs: number, everyMs: number): Collector {
  return new Collector(async () => {
    collected++
    nowMs += tookMs
  }, everyMs)
}

describe('a collector', () => {
  it('looks once for all who ask meanwhile', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const collector = new Collector(async () => {
      collected++
      await promise
    }, 0)
    const asking = [collector.refresh(), collector.refresh(), collector.refresh()]
    resolve()
    await Promise.all(asking)
    expect(collected).toBe(1)
  })

  it('does not look again before its time', async () => {
    const collector = collectorOf(10, 30_000)
    await collector.refresh()
    nowMs = 30_999
    await collector.refresh()
    expect(collected).toBe(1)
    nowMs = 31_000
    await collector.refresh()
    expect(collected).toBe(2)
  })

  it('looks for a twentieth of the time at most, however long it takes', async () => {
    const collector = collectorOf(60_000, 30_000)
    await collector.refresh()
    nowMs += 19 * 60_000 - 1
    await collector.refresh()
    expect(collected).toBe(1)
    nowMs += 1
    await collector.refresh()
    expect(collected).toBe(2)
  })

  it('is waited for longer where nothing is known yet', async () => {
    vi.useFakeTimers()
    const isRead = readingOf(new Collector(() => new Promise(() => {}), 0))
    await vi.advanceTimersByTimeAsync(4_999)
    expect(isRead()).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(isRead()).toBe(true)
    vi.useRealTimers()
  })

  it('keeps nobody waiting who reads for longer than a second, and goes on looking', async () => {
    vi.useFakeTimers()
    const { promise, resolve } = Promise.withResolvers<void>()
    const collector = new Collector(() => (collected++ === 0 ? Promise.resolve() : promise), 0)
    await collector.refresh()
    const isRead = readingOf(collector)
    await vi.advanceTimersByTimeAsync(999)
    expect(isRead()).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(isRead()).toBe(true)
    resolve()
    vi.useRealTimers()
  })
})

/** @returns whether somebody who reads now has been answered */
function readingOf(collector: Collector): () => boolean {
  let isRead = false
  void collector.refresh().then(() => {
    isRead = true
  })
  return () => isRead
}
