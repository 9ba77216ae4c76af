import type { Logger } from '../log.js'
import { ALL_KEYS, isKeyTopic, type Topic, type Wake } from './signals.js'

type WakeOnKeys = (conversationId: string | null) => void

/** Who is to be woken in this process, by topic. */
export class Listeners {
  readonly #wakers = new Map<Topic, Set<Wake>>()
  readonly #keyWakers = new Set<WakeOnKeys>()
  readonly #log: Logger
  readonly #onFirst: (topic: Topic) => void
  readonly #onLast: (topic: Topic) => void

  /** @param onFirst called when a topic has got its first listener; @param onLast when it has lost its last */
  constructor(log: Logger, onFirst: (topic: Topic) => void = () => {}, onLast: (topic: Topic) => void = () => {}) {
    this.#log = log
    this.#onFirst = onFirst
    this.#onLast = onLast
  }

  get topics(): Topic[] {
    return [...this.#wakers.keys()]
  }

  has(topic: Topic): boolean {
    return this.#wakers.has(topic)
  }

  /** @returns a function that takes it away again, and does nothing the second time */
  add(topic: Topic, wake: Wake): () => void {
    // One of its own each time: the same function may listen twice.
    const waker: Wake = (payload) => wake(payload)
    const wakers = this.#wakers.get(topic) ?? new Set()
    wakers.add(waker)
    if (wakers.size === 1) {
      this.#wakers.set(topic, wakers)
      this.#onFirst(topic)
    }
    return () => {
      if (!wakers.delete(waker) || wakers.size > 0) return
      this.#wakers.delete(topic)
      this.#onLast(topic)
    }
  }

  addForKeys(wake: WakeOnKeys): () => void {
    const waker: WakeOnKeys = (conversationId) => wake(conversationId)
    this.#keyWakers.add(waker)
    return () => this.#keyWakers.delete(waker)
  }

  wake(topic: Topic, payload?: string): void {
    for (const wake of this.#wakers.get(topic) ?? []) this.#guarded(() => wake(payload))
    if (!isKeyTopic(topic)) return
    const conversationId = topic === ALL_KEYS ? null : topic.slice('keys:'.length)
    for (const wake of this.#keyWakers) this.#guarded(() => wake(conversationId))
  }

  /** Of the keys of any conversation something may have been missed. */
  wakeAllKeys(): void {
    for (const wake of this.#keyWakers) this.#guarded(() => wake(null))
  }

  /** Of anything something may have been missed. */
  wakeAll(): void {
    for (const topic of this.topics) for (const wake of this.#wakers.get(topic) ?? []) this.#guarded(() => wake())
    this.wakeAllKeys()
  }

  /** One that fails is its own affair: it is called by a connection, where its error would end the process. */
  #guarded(wake: () => void): void {
    try {
      wake()
    } catch (error) {
      this.#log.error({ reason: error }, 'listener to signals failed')
    }
  }
}
