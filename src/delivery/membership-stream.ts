import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { abortable } from './abortable.js'
import { Alarm } from './alarm.js'
import type { MembershipDigest } from './memberships.js'
import { requireUnexpired } from './message-stream.js'
import { POLL_MS } from './slow-poll.js'

type StreamServices = Pick<Services, 'signals' | 'memberships' | 'clock'>

/** Ids of conversations that the viewer has come into, and of those that the viewer is not in any more. */
export interface MembershipChange {
  joined: string[]
  left: string[]
}

/** By conversation, the latest change when the viewer joined. */
type Present = ReadonlyMap<string, number>

/**
 * Where the viewer comes in and goes out: by their own doing anywhere, by somebody else's, or because a conversation is
 * created or deleted. The first change comes at once; what happens from then on follows, so that whoever reads the list
 * after it misses nothing.
 *
 * @param known conversations of which the first change says whether the viewer is not in them
 */
export function membershipStream(
  services: StreamServices,
  viewer: Viewer,
  known: readonly string[]
): AsyncIterableIterator<MembershipChange> {
  const alarm = new Alarm()
  let hasMoved = true
  let digestRead: MembershipDigest = null
  const wake = () => {
    hasMoved = true
    alarm.ring()
  }
  const ends = [
    services.signals.subscribe(`user:${viewer.id}`, wake),
    services.memberships.watchAll(viewer.id, (digest) => {
      if (digest !== digestRead) wake()
    })
  ]
  const look = async (): Promise<Present> => {
    hasMoved = false
    const { memberships, digest } = await services.memberships.read(viewer.id)
    digestRead = digest
    return new Map(memberships.map(({ conversationId, joinedChange }) => [conversationId, joinedChange]))
  }
  return abortable(
    async function* (signal) {
      let before: Present | null = null
      while (!signal.aborted) {
        alarm.reset()
        requireUnexpired(services, viewer)
        if (hasMoved) {
          const now = await look()
          const change: MembershipChange = before ? between(before, now) : { joined: [], left: missing(known, now) }
          if (!before || change.joined.length > 0 || change.left.length > 0) yield change
          before = now
        }
        if (!hasMoved) await alarm.wait(POLL_MS, signal)
      }
    },
    () => ends.forEach((end) => void end())
  )
}

/** Who has been out and is in again has joined: what was seen before may not be seen any more. */
function between(before: Present, now: Present): MembershipChange {
  const joined = [...now].filter(([id, joinedChange]) => before.get(id) !== joinedChange).map(([id]) => id)
  return { joined, left: missing(before.keys(), now) }
}

function missing(ids: Iterable<string>, now: Present): string[] {
  return [...new Set(ids)].filter((id) => !now.has(id))
}
