import { type SendingKeys, STALE_KEY } from '../conversation-key/sending-keys.js'
import type { Services } from '../services.js'
import { currentPlace, type TracePlace, tracedForAll } from '../tracing/traced.js'
import type { Message } from './message.js'
import { type NotStored, StoreFailed, storeMessages, type UnsentMessage } from './store-messages.js'

/** Both bound what one statement carries, and how long the next group waits for it. */
const GROUP_MESSAGES = 64
const GROUP_BYTES = 256 * 1024

/** Why a message was not stored, and never will be. */
export type Refused = Exclude<NotStored, typeof STALE_KEY>

interface Waiting {
  message: UnsentMessage
  place: TracePlace
  resolve(result: Message | Refused): void
  reject(error: unknown): void
}

/**
 * Stores what this process sends to a conversation one statement at a time, each with all that has gathered
 * meanwhile. A message that comes alone is stored at once: nothing waits for a group to fill.
 *
 * A conversation has one statement under way at most, and so one connection, however many send to it.
 */
export class SendGroups {
  readonly #services: Pick<Services, 'database' | 'sendPace' | 'metrics' | 'clock' | 'config'>
  readonly #sendingKeys: SendingKeys
  /** What waits, in the order of arrival, for each conversation that has a statement under way. */
  readonly #lines = new Map<string, Waiting[]>()

  constructor(services: Pick<Services, 'database' | 'sendPace' | 'metrics' | 'clock' | 'config' | 'sendingKeys'>) {
    this.#services = services
    this.#sendingKeys = services.sendingKeys
  }

  /**
   * Stores a message, with others of its conversation or alone. Whatever becomes of the others, it has a result of
   * its own.
   */
  store(conversationId: string, message: UnsentMessage): Promise<Message | Refused> {
    const { promise, resolve, reject } = Promise.withResolvers<Message | Refused>()
    const waiting = { message, place: currentPlace(), resolve, reject }
    const line = this.#lines.get(conversationId)
    if (line) line.push(waiting)
    else void this.#workOff(conversationId, [waiting])
    return promise
  }

  async #workOff(conversationId: string, line: Waiting[]): Promise<void> {
    this.#lines.set(conversationId, line)
    while (line.length > 0) {
      const group = takeGroup(line)
      try {
        const places = group.map(({ place }) => place)
        const details = { attributes: { 'conclave.messages': group.length } }
        line.unshift(...(await tracedForAll(places, 'store', details, () => this.#storeGroup(conversationId, group))))
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    this.#lines.delete(conversationId)
  }

  /** @returns those that did not fit under the data key any more, at least one less than there were */
  async #storeGroup(conversationId: string, group: Waiting[]): Promise<Waiting[]> {
    return await this.#sendingKeys.use(conversationId, async (key) => {
      const messages = group.map(({ message }) => message)
      const results = await storeMessages(this.#services, conversationId, messages, key)
      this.#count(results)
      const left = group.filter(({ resolve, reject }, index) => {
        const result = results[index] ?? STALE_KEY
        if (result instanceof StoreFailed) reject(result.error)
        else if (result !== STALE_KEY) resolve(result)
        return result === STALE_KEY
      })
      if (left.length === group.length) return STALE_KEY
      if (left.length > 0) this.#sendingKeys.forget(conversationId)
      return left
    })
  }

  #count(results: readonly (Message | NotStored | StoreFailed)[]): void {
    const { sent, sendStatements } = this.#services.metrics.messages
    sendStatements.inc()
    let stored = 0
    for (const result of results) if (typeof result === 'object' && !(result instanceof StoreFailed)) stored++
    sent.inc(stored)
  }
}

/** Takes the first few out of the line. Of two tries of one message the second stays, and finds the first one stored. */
function takeGroup(line: Waiting[]): Waiting[] {
  const group: Waiting[] = []
  const tries = new Set<string>()
  const staying: Waiting[] = []
  let bytes = 0
  for (const [index, waiting] of line.entries()) {
    const { senderId, clientMessageId, body } = waiting.message
    bytes += body.length
    if (group.length > 0 && (group.length === GROUP_MESSAGES || bytes > GROUP_BYTES)) {
      staying.push(...line.slice(index))
      break
    }
    const name = JSON.stringify([senderId, clientMessageId])
    if (clientMessageId !== null && tries.has(name)) staying.push(waiting)
    else group.push(waiting)
    tries.add(name)
  }
  line.splice(0, line.length, ...staying)
  return group
}
