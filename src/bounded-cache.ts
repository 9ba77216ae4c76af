import { LRUCache } from 'lru-cache'

/**
 * The entries that were used last, by name.
 *
 * @param max how many. Room is taken as they come: `max` of lru-cache takes all of it at once, 20 ms for 100,000.
 */
export function boundedCache<Value extends object | string | number>(max: number): LRUCache<string, Value> {
  return new LRUCache<string, Value>({ maxSize: max, sizeCalculation: () => 1 })
}
