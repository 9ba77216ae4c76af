import { afterEach, describe, expect, it, vi } from 'vitest'
import { fetchWithin } from '../../../web/src/fetch-within.js'

describe('a fetch within a time', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('gives up what is never answered', async () => {
    hang()
    await expect(fetchWithin(10)('/graphql')).rejects.toMatchObject({ name: 'TimeoutError' })
  })

  it('gives up at once what nobody waits for any more', async () => {
    hang()
    await expect(fetchWithin(60_000)('/graphql', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError'
    })
  })
})

/** A network on which nothing comes back. */
function hang(): void {
  vi.stubGlobal('fetch', async (_input: unknown, { signal }: { signal: AbortSignal }) => {
    signal.throwIfAborted()
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
}
