/**
 * Makes an async iterator that can be ended while it waits: the `return` of a plain async generator
 * takes effect only after the pending `next` has settled, which for a quiet conversation is never.
 *
 * @param start gets a signal that aborts when the consumer leaves
 * @param release runs once, however the iteration ends, even one that never began
 */
export function abortable<T>(
  start: (signal: AbortSignal) => AsyncGenerator<T>,
  release: () => void = () => {}
): AsyncGenerator<T> {
  const leaving = new AbortController()
  const source = start(leaving.signal)
  let released = false
  const end = () => {
    leaving.abort()
    if (released) return
    released = true
    release()
  }
  return {
    async next() {
      try {
        const result = await source.next()
        if (result.done) end()
        return result
      } catch (error) {
        end()
        throw error
      }
    },
    async return(value) {
      end()
      return await source.return(value)
    },
    async throw(error) {
      end()
      return await source.throw(error)
    },
    [Symbol.asyncIterator]() {
      return this
    },
    async [Symbol.asyncDispose]() {
      await this.return(undefined)
    }
  }
}
