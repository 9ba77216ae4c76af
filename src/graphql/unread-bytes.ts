import { RateLimited } from '../errors.js'

/** Four times what one look-up of a query reads of messages: with more than this waiting, a user gets no further operation. */
const MAX_BEFORE_MORE = 64 * 1024 * 1024
/** What was begun before that may still be answered, up to here. */
export const MAX_UNREAD = 128 * 1024 * 1024
/** Whoever reads may go on at once. */
const RETRY_AFTER_MS = 1_000

/** What answers go over: a socket, or a connection of HTTP. */
export interface Channel {
  /** Nothing once it is closed. */
  readonly unreadBytes: number
  /** At once, with what waits in it. */
  cut(): void
}

/** What each user has asked this process for and not taken, over all transports together. */
export class UnreadBytes {
  readonly #maxBeforeMore: number
  readonly #max: number
  /** Those that had something in them when they were looked at last. */
  readonly #ofUsers = new Map<string, Set<Channel>>()

  constructor(maxBeforeMore = MAX_BEFORE_MORE, max = MAX_UNREAD) {
    this.#maxBeforeMore = maxBeforeMore
    this.#max = max
  }

  /** @throws RateLimited for a user who is to read first */
  requireRead(userId: string): void {
    if (this.#sumOf(userId) <= this.#maxBeforeMore) return
    throw new RateLimited(RETRY_AFTER_MS, 'Too much of what you have asked for is unread. Read the answers first.')
  }

  /** Before an answer goes over a channel: cuts those of the user that hold most, until there is no longer too much. */
  makeRoom(userId: string, channel: Channel): void {
    const channels = this.#ofUsers.get(userId) ?? new Set()
    this.#ofUsers.set(userId, channels.add(channel))
    while (this.#sumOf(userId, channel) > this.#max) {
      const [fullest] = [...channels].sort((one, other) => other.unreadBytes - one.unreadBytes)
      fullest?.cut()
      if (!fullest || fullest.unreadBytes > 0) return
    }
  }

  /** The channel is closed. */
  forget(userId: string, channel: Channel): void {
    const channels = this.#ofUsers.get(userId)
    channels?.delete(channel)
    if (channels?.size === 0) this.#ofUsers.delete(userId)
  }

  #sumOf(userId: string, kept?: Channel): number {
    const channels = this.#ofUsers.get(userId)
    let sum = 0
    for (const channel of channels ?? []) {
      const { unreadBytes } = channel
      if (unreadBytes === 0 && channel !== kept) channels?.delete(channel)
      sum += unreadBytes
    }
    if (channels?.size === 0) this.#ofUsers.delete(userId)
    return sum
  }
}
