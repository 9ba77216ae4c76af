import { Forbidden, NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { memberRole } from '../membership/roles.js'
import type { Services } from '../services.js'
import { abortable } from './abortable.js'
import { type Activity, parseActivity } from './activity.js'
import { Alarm } from './alarm.js'
import { requireUnexpired } from './message-stream.js'
import { readLog } from './read-log.js'
import { POLL_MS } from './slow-poll.js'

/** Who has said nothing for so long types no more. */
export const TYPING_MS = 6_000

type StreamServices = Pick<Services, 'database' | 'signals' | 'memberships' | 'clock'>

/**
 * What others do in a conversation, from now on: typing, which ends by itself, and read marks, the viewer's own from
 * elsewhere included. It ends as messageStream does. What comes faster than it is taken is kept as the latest of each
 * user.
 *
 * @throws NotFound when the viewer is not in the conversation
 */
export async function activityStream(
  services: StreamServices,
  viewer: Viewer,
  conversationId: string
): Promise<AsyncIterableIterator<Activity>> {
  const alarm = new Alarm()
  const state = new ActivityState(services, viewer)
  const noteRemoval = () => {
    state.mayBeRemoved = true
    alarm.ring()
  }
  const ends = [
    services.signals.subscribe(`activity:${conversationId}`, (payload) => {
      if (payload !== undefined && state.note(payload)) alarm.ring()
    }),
    services.signals.subscribe(`user:${viewer.id}`, noteRemoval),
    services.memberships.watchOne({ conversationId, userId: viewer.id }, (isMember) => {
      if (!isMember) noteRemoval()
    })
  ]
  const release = () => ends.forEach((end) => void end())
  try {
    if (!(await isMember(services, viewer, conversationId))) throw new NotFound('conversation')
    return abortable((signal) => follow(services, viewer, conversationId, state, alarm, signal), release)
  } catch (error) {
    release()
    throw error
  }
}

async function* follow(
  services: StreamServices,
  viewer: Viewer,
  conversationId: string,
  state: ActivityState,
  alarm: Alarm,
  signal: AbortSignal
): AsyncGenerator<Activity> {
  while (!signal.aborted) {
    alarm.reset()
    requireUnexpired(services, viewer)
    if (state.mayBeRemoved) {
      state.mayBeRemoved = false
      if (!(await isMember(services, viewer, conversationId))) return await end(services, viewer, conversationId)
    }
    for (let activity = state.take(); activity && !state.mayBeRemoved; activity = state.take()) yield activity
    await alarm.wait(Math.min(POLL_MS, state.nextEndMs()), signal)
  }
}

async function isMember({ database }: StreamServices, viewer: Viewer, conversationId: string): Promise<boolean> {
  return (await memberRole(database.entities(), conversationId, viewer.id)) !== null
}

/** @throws Forbidden when the viewer was removed, and not the conversation deleted */
async function end(services: StreamServices, viewer: Viewer, conversationId: string): Promise<void> {
  const { state } = await readLog(services, viewer, conversationId, Number.MAX_SAFE_INTEGER, 1)
  if (state === 'REMOVED') throw new Forbidden('You are no longer a member of this conversation.')
}

/** What is not delivered yet, the latest of each user, and who is typing. */
class ActivityState {
  readonly #services: StreamServices
  readonly #viewer: Viewer
  readonly #pending = new Map<string, Activity>()
  /** Until when, by user. */
  readonly #typing = new Map<string, number>()
  mayBeRemoved = false

  constructor(services: StreamServices, viewer: Viewer) {
    this.#services = services
    this.#viewer = viewer
  }

  /** @returns whether there is something to deliver */
  note(payload: string): boolean {
    const activity = parseActivity(payload)
    // One's own typing is no news.
    if (!activity || (activity.kind === 'TYPING' && activity.userId === this.#viewer.id)) return false
    if (activity.kind === 'TYPING' && !this.#noteTyping(activity)) return false
    this.#pending.set(`${activity.kind} ${activity.userId}`, activity)
    return true
  }

  take(): Activity | null {
    this.#endTyping()
    const [next] = this.#pending
    if (!next) return null
    this.#pending.delete(next[0])
    return next[1]
  }

  nextEndMs(): number {
    const now = this.#services.clock.now().getTime()
    return Math.max(0, Math.min(...this.#typing.values()) - now)
  }

  /** @returns whether it is news: to go on typing is none */
  #noteTyping({ userId, typing }: { userId: string; typing: boolean }): boolean {
    const before = this.#typing.has(userId)
    if (typing) this.#typing.set(userId, this.#services.clock.now().getTime() + TYPING_MS)
    else this.#typing.delete(userId)
    return typing !== before
  }

  #endTyping(): void {
    const now = this.#services.clock.now().getTime()
    for (const [userId, until] of this.#typing) {
      if (until > now) continue
      this.#typing.delete(userId)
      this.#pending.set(`TYPING ${userId}`, { kind: 'TYPING', userId, typing: false })
    }
  }
}
