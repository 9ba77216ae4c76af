/** Calls `run` with at most `size` items at a time, one batch after the other, and joins the results in order. */
export async function inBatches<T, R>(
  items: readonly T[],
  size: number,
  run: (batch: readonly T[]) => Promise<R[]>
): Promise<R[]> {
  const results: R[] = []
  for (let start = 0; start < items.length; start += size) {
    results.push(...(await run(items.slice(start, start + size))))
  }
  return results
}
