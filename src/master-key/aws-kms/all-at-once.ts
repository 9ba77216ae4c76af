import type { CallOptions } from '../master-key.js'

/** Runs all of them, as far as a queue lets them, and gives their results in order; the first that fails ends the others. */
export async function allAtOnce<T, R>(
  items: readonly T[],
  options: CallOptions,
  run: (item: T, options: CallOptions) => Promise<R>
): Promise<R[]> {
  const failed = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal
  try {
    return await Promise.all(items.map((item) => run(item, { ...options, signal })))
  } catch (error) {
    failed.abort()
    throw error
  }
}
