import { expect, it } from 'vitest'
import { boundedCache } from '../../src/bounded-cache.js'

it('a bounded cache forgets what was used longest ago, and nothing before it is full', () => {
  const cache = boundedCache<number>(2)
  cache.set('first', 1)
  cache.set('second', 2)
  expect(cache.get('first')).toBe(1)
  cache.set('third', 3)
  expect(['first', 'second', 'third'].map((name) => cache.get(name))).toEqual([1, undefined, 3])
})
