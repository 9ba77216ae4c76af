import { useEffect, useEffectEvent } from 'react'
import { MembershipEventsDocument } from '../../../documents/generated.js'
import { pause } from '../connection.js'
import type { Failure } from '../failure.js'
import { useConnection } from '../use-connection.js'

interface Watcher {
  /** Ids of what is listed. */
  known: () => string[]
  /** It is told from now on: what happened since the list was read is in the list of now. */
  onBegin: () => Promise<void>
  onJoined: (id: string) => Promise<void>
  onLeft: (id: string) => void
  onFailure: (failure: Failure) => void
}

const AGAIN_AFTER_MS = 5_000

/** Where the viewer comes in and goes out, in this window, in another one, or by somebody else. @param isListed from then on */
export function useMemberships(isListed: boolean, watcher: Watcher): void {
  const connection = useConnection()
  const known = useEffectEvent(() => watcher.known())
  const fail = useEffectEvent((failure: Failure) => watcher.onFailure(failure))
  const take = useEffectEvent((joined: readonly string[], left: readonly string[], isFirst: boolean) => {
    for (const id of left) watcher.onLeft(id)
    // What cannot be asked for now is asked for when the connection is there again.
    if (isFirst) void watcher.onBegin().catch(() => {})
    for (const id of joined) void watcher.onJoined(id).catch(() => {})
  })
  useEffect(() => {
    if (!isListed) return
    const left = new AbortController()
    const follow = async () => {
      let isFirst = true
      const begin = () => {
        isFirst = true
        return { known: known() }
      }
      while (!left.signal.aborted) {
        const end = await connection.follow(
          MembershipEventsDocument,
          begin,
          ({ membershipEvents }) => {
            take(membershipEvents.joined, membershipEvents.left, isFirst)
            isFirst = false
          },
          left.signal
        )
        if (end) fail(end)
        await pause(AGAIN_AFTER_MS, left.signal)
      }
    }
    void follow()
    return () => left.abort()
  }, [connection, isListed])
}
