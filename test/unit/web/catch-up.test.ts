import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CatchUp } from '../../../web/src/chat/catch-up.js'

/** Five conversations on pages of two, the latest activity first; each has a cursor for every message. */
let list: { id: string; eventCursor: string }[]
let cursors: Map<string, string>
let asked: (string | null)[]
let catchUp: CatchUp

beforeEach(() => {
  vi.useFakeTimers()
  list = ['e', 'd', 'c', 'b', 'a'].map((id) => ({ id, eventCursor: '1' }))
  cursors = new Map(list.map(({ id }) => [id, '1']))
  asked = []
  catchUp = opened(async (attempt) => await attempt())
})
afterEach(() => {
  vi.useRealTimers()
})

describe('what was told to nobody while a connection was lost', () => {
  it('is not looked for before anything has begun anew', async () => {
    catchUp.note()
    await vi.runAllTimersAsync()
    expect(asked).toEqual([])
  })

  it('is looked for once, after all that begins together', async () => {
    catchUp.begin()
    await vi.advanceTimersByTimeAsync(200)
    catchUp.begin()
    await vi.advanceTimersByTimeAsync(200)
    expect(asked).toEqual([])
    await vi.runAllTimersAsync()
    expect(asked).toEqual([null])
  })

  it('is looked for again after what begins later', async () => {
    for (const _ of ['memberships', 'messages']) {
      catchUp.begin()
      await vi.runAllTimersAsync()
    }
    expect(asked).toEqual([null, null])
  })

  it('is looked for no longer where the connection is lost once more, until something begins anew', async () => {
    catchUp.begin()
    catchUp.note()
    await vi.runAllTimersAsync()
    expect(asked).toEqual([])
    catchUp.begin()
    await vi.runAllTimersAsync()
    expect(asked).toEqual([null])
  })

  it('is before the first conversation in which nothing has happened', async () => {
    happensIn('a', 'b', 'c')
    catchUp.begin()
    await vi.runAllTimersAsync()
    expect(asked).toEqual([null, '2'])
  })

  it('is not taken for known where an event of the same conversation was first', async () => {
    catchUp.note()
    happensIn('a', 'b', 'c')
    cursors.set('c', '2')
    catchUp.begin()
    await vi.runAllTimersAsync()
    expect(asked).toEqual([null, '2'])
  })

  it('is looked for from the next loss on once it was found', async () => {
    catchUp.begin()
    await vi.runAllTimersAsync()
    happensIn('a', 'b', 'c')
    for (const id of ['a', 'b', 'c']) cursors.set(id, '2')
    catchUp.begin()
    await vi.runAllTimersAsync()
    expect(asked).toEqual([null, null])
  })

  it('is looked for in the whole list where something has happened everywhere', async () => {
    happensIn('a', 'b', 'c', 'd', 'e')
    catchUp.begin()
    await vi.runAllTimersAsync()
    expect(asked).toEqual([null, '2', '4'])
  })

  it('is looked for no longer once the session is over', async () => {
    const signals: AbortSignal[] = []
    catchUp = opened(async (_, signal) => void signals.push(signal))
    catchUp.begin()
    await vi.runAllTimersAsync()
    catchUp.begin()
    catchUp.end()
    await vi.runAllTimersAsync()
    expect(signals).toMatchObject([{ aborted: true }])
  })
})

function opened(persistently: (attempt: () => Promise<void>, signal: AbortSignal) => Promise<void>): CatchUp {
  const read = async (after: string | null) => {
    asked.push(after)
    const begin = Number(after)
    return { nodes: list.slice(begin, begin + 2), next: begin + 2 < list.length ? `${begin + 2}` : null }
  }
  return new CatchUp({ cursors: () => cursors, read, persistently })
}

/** Each of them is before the others then. */
function happensIn(...ids: string[]): void {
  for (const id of ids) list = [{ id, eventCursor: '2' }, ...list.filter((one) => one.id !== id)]
}
