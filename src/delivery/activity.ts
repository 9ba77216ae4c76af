import { z } from 'zod'
import type { Clock } from '../clock.js'
import { NotFound, RateLimited } from '../errors.js'
import { isUserId } from '../identity/user-id.js'
import type { Viewer } from '../identity/viewer.js'
import { memberRole } from '../membership/roles.js'
import { type Buckets, MemoryBuckets } from '../rate-limits/buckets.js'
import type { Services } from '../services.js'

/** What somebody does in a conversation at this moment: never stored. */
export type Activity =
  | { kind: 'TYPING'; userId: string; typing: boolean }
  | { kind: 'READ'; userId: string; sequence: number }

/** Of one member in one conversation, in one process. */
const ALLOWANCE = { tokens: 10, periodMs: 5_000 }
/** Of one user, wherever: what is asked about conversations that there are not costs a look-up as well. */
const TYPING_ALLOWANCE = { tokens: 100, periodMs: 5_000 }

/** Tells members what others do, as often as they may. */
export class ActivityLimit {
  readonly #ofMembers: Buckets
  /** For themselves: whatever conversations somebody names, no user's bucket is forgotten for it. */
  readonly #ofUsers: Buckets

  constructor(clock: Clock) {
    this.#ofMembers = new MemoryBuckets(clock)
    this.#ofUsers = new MemoryBuckets(clock)
  }

  /** @returns 0, or after how many milliseconds it may be told */
  async waitMs(viewer: Viewer, conversationId: string): Promise<number> {
    return await this.#ofMembers.take(`${conversationId} ${viewer.id}`, ALLOWANCE)
  }

  /**
   * Before it is known whether there is such a conversation. A name that is refused takes no room.
   *
   * @returns 0, or after how many milliseconds it may be told
   */
  async typingWaitMs(viewer: Viewer, conversationId: string): Promise<number> {
    return (await this.#ofUsers.take(viewer.id, TYPING_ALLOWANCE)) || (await this.waitMs(viewer, conversationId))
  }
}

type ActivityServices = Pick<Services, 'database' | 'signals' | 'activityLimit'>

/**
 * Tells the others that the viewer is typing, or no longer is.
 *
 * @throws RateLimited, before anything is read; NotFound for a stranger
 */
export async function setTyping(
  services: ActivityServices,
  viewer: Viewer,
  conversationId: string,
  typing: boolean
): Promise<void> {
  const waitMs = await services.activityLimit.typingWaitMs(viewer, conversationId)
  if (waitMs > 0) throw new RateLimited(waitMs)
  const role = await memberRole(services.database.entities(), conversationId, viewer.id)
  if (!role) throw new NotFound('conversation')
  signalActivity(services, conversationId, { kind: 'TYPING', userId: viewer.id, typing })
}

/** Tells every process that shows it to somebody. */
export function signalActivity(
  { signals }: Pick<Services, 'signals'>,
  conversationId: string,
  activity: Activity
): void {
  signals.publish(`activity:${conversationId}`, JSON.stringify(activity))
}

const ACTIVITY = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('TYPING'), userId: z.string().refine(isUserId), typing: z.boolean() }),
  z.object({ kind: z.literal('READ'), userId: z.string().refine(isUserId), sequence: z.int32().nonnegative() })
])

/** @returns null for what no version of this program has sent: whoever gets to the carrier of signals can signal */
export function parseActivity(payload: string): Activity | null {
  try {
    return ACTIVITY.safeParse(JSON.parse(payload)).data ?? null
  } catch {
    return null
  }
}
