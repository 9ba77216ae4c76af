import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Message } from '../message/message.js'
import type { Services } from '../services.js'
import { traced } from '../tracing/traced.js'
import { eventType, type MessageEvent } from './conversation-log.js'
import type { Follower } from './follower.js'

type GivingServices = Pick<Services, 'metrics' | 'clock'>

/** Followers in one turn of the event loop: a thousand sends take some milliseconds. */
const PER_TURN = 200
/**
 * Characters after which a follower is given no more at a time. What is given together goes out in one write; with much
 * more than this, what waits for clients that stand still outlives the collections of young objects.
 */
const PORTION_LENGTH = 4 * 1024

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
  services: GivingServices
): Promise<void> {
  const rendering = new Rendering(group)
  // What a message is to somebody depends on what they have got before. Nearly all have got the same.
  for (const [position, takers] of Map.groupBy(group, (follower) => follower.position)) {
    const news = messages.filter(({ change }) => change > position)
    const rendered = await Promise.all(
      news.map((message) => rendering.of({ type: eventType(message, position), message }))
    )
    const details = { attributes: { 'conclave.events': news.length, 'conclave.subscribers': takers.length } }
    await traced('socket', details, async () => {
      for (const portion of portionsOf(news, rendered)) await giveToAll(takers, portion, services)
    })
  }
}

async function giveToAll(
  takers: readonly Follower[],
  { rendered, change }: Portion,
  { metrics, clock }: GivingServices
): Promise<void> {
  let taken = 0
  for (const [index, follower] of takers.entries()) {
    if (index > 0 && index % PER_TURN === 0) await nextTurn()
    if (follower.give(rendered, change, clock.now())) taken++
  }
  metrics.messages.delivered.inc(taken * rendered.length)
}

/** What is given at a time, up to a change. */
interface Portion {
  rendered: string[]
  change: number
}

function portionsOf(messages: readonly Message[], rendered: readonly (string | null)[]): Portion[] {
  const portions: Portion[] = []
  let portion: Portion = { rendered: [], change: 0 }
  let length = 0
  for (const [index, { change }] of messages.entries()) {
    const text = rendered[index] ?? null
    portion.change = change
    if (text !== null) portion.rendered.push(text)
    length += text?.length ?? 0
    if (length < PORTION_LENGTH && index < messages.length - 1) continue
    portions.push(portion)
    portion = { rendered: [], change }
    length = 0
  }
  return portions
}

/** Makes each event into bytes once for a group. */
class Rendering {
  readonly #first: Follower | undefined
  readonly #known = new Map<string, Promise<string | null>>()

  constructor([first]: readonly Follower[]) {
    this.#first = first
  }

  /** @returns null for an event that is not shown */
  async of(event: MessageEvent): Promise<string | null> {
    const key = `${event.type} ${event.message.change}`
    const known = this.#known.get(key) ?? this.#render(event)
    this.#known.set(key, known)
    return await known
  }

  async #render(event: MessageEvent): Promise<string | null> {
    const { consumer = null, visibleAfter = 0 } = this.#first ?? {}
    if (!consumer || event.message.sequence <= visibleAfter) return null
    return await consumer.render(event, visibleAfter)
  }
}
