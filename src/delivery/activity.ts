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

/** Tells members what others do, as often as they may. */
export class ActivityLimit {
  readonly #buckets: Buckets

  constructor(clock: Clock) {
    this.#buckets = new MemoryBuckets(clock)
  }

  /** @returns 0, or after how many milliseconds it may be told */
  async waitMs(viewer: Viewer, conversationId: string): Promise<number> {
    return await this.#buckets.take(`${conversationId} ${viewer.id}`, ALLOWANCE)
  }
}

type ActivityServices = Pick<Services, 'database' | 'signals' | 'activityLimit'>

/**
 * Tells the others that the viewer is typing, or no longer is.
 *
 * @throws NotFound for a stranger; RateLimited
 */
export async function setTyping(
  services: ActivityServices,
  viewer: Viewer,
  conversationId: string,
  typing: boolean
): Promise<void> {
  const role = await memberRole(services.database.entities(), conversationId, viewer.id)
  if (!role) throw new NotFound('conversation')
  const waitMs = await services.activityLimit.waitMs(viewer, conversationId)
  if (waitMs > 0) throw new RateLimited(waitMs)
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
