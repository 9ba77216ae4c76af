import { useEffect, useEffectEvent, useState } from 'react'
import { MembershipEventsDocument, type MembershipEventsSubscription } from '../../../documents/generated.js'
import { pause } from '../connection.js'
import type { Failure } from '../failure.js'
import { useConnection } from '../use-connection.js'

type Told = MembershipEventsSubscription['membershipEvents']

interface Watcher {
  /** Ids of what is listed. */
  known: () => string[]
  /** It is told from now on: what happened since the list was read is in the list of now. */
  onBegin: () => void
  onJoined: (id: string) => Promise<void>
  onLeft: (id: string) => void
  /** Here, or in another window. */
  onRead: (id: string) => Promise<void>
}

const AGAIN_AFTER_MS = 5_000

/**
 * Where the viewer comes in and goes out, and what was read: in this window, in another one, or by somebody else.
 *
 * @param isListed from then on
 * @returns why nothing is told of it at present
 */
export function useMemberships(isListed: boolean, watcher: Watcher): Failure | null {
  const connection = useConnection()
  const [failure, setFailure] = useState<Failure | null>(null)
  const known = useEffectEvent(() => watcher.known())
  const take = useEffectEvent(({ joined, left, read }: Told, isFirst: boolean) => {
    setFailure(null)
    for (const id of left) watcher.onLeft(id)
    if (isFirst) watcher.onBegin()
    // What cannot be asked for now is asked for when the connection is there again.
    for (const id of joined) void watcher.onJoined(id).catch(() => {})
    for (const id of read) void watcher.onRead(id).catch(() => {})
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
            take(membershipEvents, isFirst)
            isFirst = false
          },
          left.signal
        )
        setFailure(end)
        await pause(AGAIN_AFTER_MS, left.signal)
      }
    }
    void follow()
    return () => left.abort()
  }, [connection, isListed])
  return failure
}
