import { setImmediate as nextTurn } from 'node:timers/promises'

/**
 * Maps items one after the other, and lets others have the event loop after every so many: what each takes is short,
 * and all together would hold up whoever waits for an answer.
 *
 * @returns in the order of the items
 * @throws what `map` throws, for the first item that it throws for
 */
export async function mapInTurns<T, Result>(
  items: readonly T[],
  perTurn: number,
  map: (item: T, index: number) => Result
): Promise<Result[]> {
  const results: Result[] = []
  for (const [index, item] of items.entries()) {
    if (index > 0 && index % perTurn === 0) await nextTurn()
    results.push(map(item, index))
  }
  return results
}
