import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../clock.js'
import type { Message } from '../message/message.js'
import { eventType } from './conversation-log.js'
import type { Follower } from './follower.js'

/** Followers in one turn of the event loop: a thousand sends take some milliseconds. */
const PER_TURN = 200

/** The followers by what they get: each group has asked for the same, and sees the same of the history. */
export function groupFollowers(followers: readonly Follower[]): Follower[][] {
  const byKey = Map.groupBy(followers, ({ consumer }) => consumer?.shareKey)
  return [...byKey.values()].flatMap((sharing) => [
    ...Map.groupBy(sharing, ({ visibleAfter }) => visibleAfter).values()
  ])
}

/**
 * Gives messages to followers who get the same bytes, made once for all of them.
 *
 * @param messages ascending by change; those that a follower has got already it does not get again
 */
export async function giveToGroup(
  group: readonly Follower[],
  messages: readonly Message[],
  clock: Clock
): Promise<void> {
  const portions = messages.flatMap((message) => portionsOf(group, message))
  const rendered = await Promise.all(portions.map(render))
  for (const [index, { message, takers }] of portions.entries()) {
    for (const [count, follower] of takers.entries()) {
      if (count > 0 && count % PER_TURN === 0) await nextTurn()
      follower.give(rendered[index] ?? null, message.change, clock.now())
    }
  }
}

interface Portion {
  type: ReturnType<typeof eventType>
  message: Message
  takers: Follower[]
}

/** What a message is to somebody depends on what they have got before. */
function portionsOf(group: readonly Follower[], message: Message): Portion[] {
  const takers = group.filter(({ position }) => position < message.change)
  const byType = Map.groupBy(takers, ({ position }) => eventType(message, position))
  return [...byType].map(([type, takers]) => ({ type, message, takers }))
}

async function render({ type, message, takers: [first] }: Portion): Promise<string | null> {
  if (!first?.consumer || message.sequence <= first.visibleAfter) return null
  return await first.consumer.render({ type, message }, first.visibleAfter)
}
