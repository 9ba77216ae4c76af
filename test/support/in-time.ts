import { expect } from 'vitest'

/** A request that waits for a store is not kept waiting for longer. */
const WITHIN_MS = 5_000

export async function inTime<T>(work: () => Promise<T>): Promise<T> {
  const begin = performance.now()
  const result = await work()
  expect(performance.now() - begin).toBeLessThan(WITHIN_MS)
  return result
}
