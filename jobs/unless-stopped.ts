/**
 * Work that waits for the queue, which may be away for long: whoever is told to stop does not wait for it any more.
 *
 * @returns undefined once it is stopped
 */
export async function unlessStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T | undefined> {
  const { promise: stopped, resolve } = Promise.withResolvers<undefined>()
  const end = () => resolve(undefined)
  stop.addEventListener('abort', end)
  if (stop.aborted) end()
  try {
    return await Promise.race([work, stopped])
  } finally {
    stop.removeEventListener('abort', end)
  }
}
