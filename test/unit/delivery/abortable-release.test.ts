import { describe, expect, it } from 'vitest'
import { abortable } from '../../../src/delivery/abortable.js'
import { rejectionOf } from '../failures.js'

/** What would wait for ever fails after this time. */
const PROMPTLY = { timeout: 2_000 }
const failure = new Error('release failed')

describe('an abortable iterator whose release fails', () => {
  it('passes the failure on, and does not release again, when it is at its end', PROMPTLY, async () => {
    const { iterator, released } = iterate(async function* () {
      yield 1
    })
    await iterator.next()
    expect(await rejectionOf(iterator.next())).toBe(failure)
    expect(released()).toBe(1)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(await iterator.return('left')).toEqual({ done: true, value: 'left' })
    expect(released()).toBe(1)
  })

  it('does not release again when its source has failed as well', PROMPTLY, async () => {
    // biome-ignore lint/correctness/useYield: it fails before it has anything to yield.
    const { iterator, released } = iterate(async function* (): AsyncGenerator<number> {
      throw new Error('source failed')
    })
    await rejectionOf(iterator.next())
    await iterator[Symbol.asyncDispose]()
    expect(released()).toBe(1)
  })

  it('still ends the pending next when the consumer leaves, and does not release again', PROMPTLY, async () => {
    const { iterator, released } = iterate(async function* (signal) {
      yield 1
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    })
    await iterator.next()
    const pending = iterator.next()
    expect(await rejectionOf(iterator.return(undefined))).toBe(failure)
    expect(await pending).toEqual({ done: true, value: undefined })
    await iterator[Symbol.asyncDispose]()
    const late = new Error('late')
    expect(await rejectionOf(iterator.throw(late))).toBe(late)
    expect(released()).toBe(1)
  })
})

function iterate(source: (signal: AbortSignal) => AsyncGenerator<number>) {
  let releases = 0
  const iterator = abortable(source, () => {
    releases++
    throw failure
  })
  return { iterator, released: () => releases }
}
