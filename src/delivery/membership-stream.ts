import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { abortable } from './abortable.js'
import { Alarm } from './alarm.js'
import type { MembershipDigest } from './memberships.js'
import { requireUnexpired } from './message-stream.js'
import { POLL_MS } from './slow-poll.js'

type StreamServices = Pick<Services, 'signals' | 'memberships' | 'clock'>

/** Ids of conversations that the viewer has come into, of those that the viewer is not in any more, and of those read. */
export interface MembershipChange {
  joined: string[]
  left: string[]
  /** Of those that the viewer has marked as read. */
  read: string[]
}

/** Of a subscriber who does not read, until it is known in which conversations it is. */
const MAX_MARKS = 10_000

/** By conversation, the latest change when the viewer joined. */
type Present = ReadonlyMap<string, number>

/**
 * Where the viewer comes in and goes out: by their own doing anywhere, by somebody else's, or because a conversation is
 * created or deleted; and what the viewer reads, wherever, as long as no signal of it is lost. The first change comes at
 * once; what happens from then on follows, so that whoever reads the list after it misses nothing.
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
  let present: Present | null = null
  const read = new Set<string>()
  /** Whoever gets to the carrier can signal any text. */
  const noteMark = (conversationId: string | undefined) => {
    if (conversationId === undefined || (present && !present.has(conversationId)) || read.size >= MAX_MARKS) return
    read.add(conversationId)
    alarm.ring()
  }
  const takeRead = (present: Present): string[] => {
    const ids = [...read].filter((id) => present.has(id))
    read.clear()
    return ids
  }
  const ends = [
    services.signals.subscribe(`user:${viewer.id}`, wake),
    services.signals.subscribe(`marks:${viewer.id}`, noteMark),
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
      while (!signal.aborted) {
        alarm.reset()
        requireUnexpired(services, viewer)
        const before: Present | null = present
        const now: Present = before && !hasMoved ? before : await look()
        present = now
        const moved = before ? between(before, now) : { joined: [], left: missing(known, now) }
        const change: MembershipChange = { ...moved, read: takeRead(now) }
        if (!before || Object.values(change).some(({ length }) => length > 0)) yield change
        if (!hasMoved) await alarm.wait(POLL_MS, signal)
      }
    },
    () => ends.forEach((end) => void end())
  )
}

/** Who has been out and is in again has joined: what was seen before may not be seen any more. */
function between(before: Present, now: Present): Omit<MembershipChange, 'read'> {
  const joined = [...now].filter(([id, joinedChange]) => before.get(id) !== joinedChange).map(([id]) => id)
  return { joined, left: missing(before.keys(), now) }
}

function missing(ids: Iterable<string>, now: Present): string[] {
  return [...new Set(ids)].filter((id) => !now.has(id))
}
