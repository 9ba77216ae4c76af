import { describe, expect, it } from 'vitest'
import { abortable } from '../../../src/delivery/abortable.js'
import { rejectionOf } from '../failures.js'

/** What would wait for ever fails after this time. */
const PROMPTLY = { timeout: 2_000 }

describe('an abortable iterator that waits', () => {
  it('settles its return and the pending next when the consumer leaves', PROMPTLY, async () => {
    const { iterator, released } = iterate(waiting)
    await iterator.next()
    const pending = iterator.next()
    expect(await iterator.return('left')).toEqual({ done: true, value: 'left' })
    expect(await pending).toEqual({ done: true, value: undefined })
    expect(released()).toBe(1)
  })

  it('settles when several values were asked for at once', PROMPTLY, async () => {
    const { iterator, released } = iterate(waiting)
    const asked = [iterator.next(), iterator.next(), iterator.next()]
    await iterator.return(undefined)
    expect((await Promise.all(asked)).map(({ done }) => done)).toEqual([false, true, true])
    expect(released()).toBe(1)
  })

  it('has released when the return settles, and aborted its signal before it released', PROMPTLY, async () => {
    const order: string[] = []
    const iterator = abortable(
      async function* (signal) {
        signal.addEventListener('abort', () => order.push('aborted'))
        yield* waiting(signal)
      },
      () => order.push('released')
    )
    await iterator.next()
    void iterator.next()
    await iterator.return(undefined)
    order.push('returned')
    expect(order).toEqual(['aborted', 'released', 'returned'])
  })

  it('passes a failure of the waiting source to the one who waits, and releases once', PROMPTLY, async () => {
    const failure = new Error('cut off while leaving')
    const { iterator, released } = iterate(async function* (signal) {
      yield 1
      await aborted(signal)
      throw failure
    })
    await iterator.next()
    const pending = rejectionOf(iterator.next())
    await iterator.return(undefined)
    expect(await pending).toBe(failure)
    expect(released()).toBe(1)
  })
})

describe('an abortable iterator', () => {
  it('that was never started is released by return, and its source never runs', PROMPTLY, async () => {
    const { iterator, released, started } = iterate(waiting)
    expect(released()).toBe(0)
    expect(await iterator.return(undefined)).toEqual({ done: true, value: undefined })
    expect(released()).toBe(1)
    expect(started()).toBe(false)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(released()).toBe(1)
  })

  it('that was never started is released by throw and by disposal too', PROMPTLY, async () => {
    const thrown = iterate(waiting)
    const failure = new Error('consumer failed')
    expect(await rejectionOf(thrown.iterator.throw(failure))).toBe(failure)
    const disposed = iterate(waiting)
    await disposed.iterator[Symbol.asyncDispose]()
    expect([thrown.released(), disposed.released()]).toEqual([1, 1])
    expect([thrown.started(), disposed.started()]).toEqual([false, false])
  })

  it('passes a failure of its source on, and releases once', PROMPTLY, async () => {
    const failure = new Error('source failed')
    // biome-ignore lint/correctness/useYield: it fails before it has anything to yield.
    const { iterator, released } = iterate(async function* (): AsyncGenerator<number> {
      throw failure
    })
    expect(await rejectionOf(iterator.next())).toBe(failure)
    expect(released()).toBe(1)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    await iterator.return(undefined)
    expect(released()).toBe(1)
  })

  it('is released once however often it is ended', PROMPTLY, async () => {
    const { iterator, released } = iterate(waiting)
    await iterator.next()
    await Promise.all([iterator.return(undefined), iterator.return(undefined)])
    await iterator[Symbol.asyncDispose]()
    await rejectionOf(iterator.throw(new Error('late')))
    expect(released()).toBe(1)
  })

  it('is released when the loop over it breaks off or fails', PROMPTLY, async () => {
    const broken = iterate(waiting)
    for await (const _ of broken.iterator) break
    expect(broken.released()).toBe(1)

    const failure = new Error('consumer failed')
    const failed = iterate(waiting)
    const loop = async () => {
      for await (const _ of failed.iterator) throw failure
    }
    expect(await rejectionOf(loop())).toBe(failure)
    expect(failed.released()).toBe(1)
  })

  it('lets its source clean up when the consumer throws into it', PROMPTLY, async () => {
    let cleaned = false
    const { iterator, released } = iterate(async function* () {
      try {
        yield 1
      } finally {
        cleaned = true
      }
    })
    await iterator.next()
    const failure = new Error('consumer failed')
    expect(await rejectionOf(iterator.throw(failure))).toBe(failure)
    expect([cleaned, released()]).toEqual([true, 1])
  })

  it('gives every value in order, and is released once when there are no more', PROMPTLY, async () => {
    const { iterator, released, signal } = iterate(async function* () {
      yield 1
      yield 2
      yield 3
    })
    const values: number[] = []
    for await (const value of iterator) {
      expect([released(), signal()?.aborted]).toEqual([0, false])
      values.push(value)
    }
    expect(values).toEqual([1, 2, 3])
    expect([released(), signal()?.aborted]).toEqual([1, true])
  })
})

/** A conversation that goes quiet after one event. */
async function* waiting(signal: AbortSignal): AsyncGenerator<number> {
  yield 1
  await aborted(signal)
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

function iterate(source: (signal: AbortSignal) => AsyncGenerator<number>) {
  let releases = 0
  let started = false
  let given: AbortSignal | undefined
  async function* start(signal: AbortSignal): AsyncGenerator<number> {
    started = true
    yield* source(signal)
  }
  const iterator = abortable(
    (signal) => {
      given = signal
      return start(signal)
    },
    () => {
      releases++
    }
  )
  return { iterator, released: () => releases, started: () => started, signal: () => given }
}
