import { setTimeout as delay } from 'node:timers/promises'
import type { Span } from '@opentelemetry/api'
import type { Logger } from '../log.js'
import { startSending, traceParentOf } from '../tracing/traced.js'
import { ALL_KEYS, formatSignal, isKeyTopic, MAX_TRACES, type Signal, type Topic } from './signals.js'

/** Signals that wait for a connection, at most: more of them say no more than a poll finds. */
const MAX_UNSENT = 10_000
/**
 * The streams poll for what was lost; the caches of keys do not. So a signal of keys is kept until it is sent, and
 * sent again so many times, a second apart: a repetition does no harm.
 */
const KEY_REPEATS = 3
const REPEAT_MS = 1_000
const CLOSE_WAIT_MS = 1_000

/** Signals on their way out: one batch at a time, and what gathers meanwhile in the next. */
export class Outbox {
  readonly #send: (batch: Signal[]) => Promise<unknown>
  readonly #log: Logger
  readonly #unsent = new Map<string, Signal>()
  /** Of what waits to be sent. */
  #spans: Span[] = []
  readonly #repeats = new Map<Topic, number>()
  #sending: Promise<void> | null = null
  #isOpen = false
  #timer: NodeJS.Timeout | null = null

  constructor(send: (batch: Signal[]) => Promise<unknown>, log: Logger) {
    this.#send = send
    this.#log = log
  }

  publish(signal: Signal): void {
    if (isKeyTopic(signal.topic)) this.#repeatLater(signal.topic)
    this.#add(this.#inTrace(signal))
    this.#flush()
  }

  /** There is a connection. */
  open(): void {
    this.#isOpen = true
    this.#flush()
  }

  /** There is none: what is live only is over by the time there is one again. */
  shut(): void {
    this.#isOpen = false
    for (const [key, { payload }] of this.#unsent) if (payload !== undefined) this.#unsent.delete(key)
  }

  /** Sends the last of them, for as long as that takes a connection that works. */
  async close(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer)
    const timeout = delay(CLOSE_WAIT_MS, undefined, { ref: false })
    while (this.#isOpen && this.#sending) {
      if ((await Promise.race([this.#sending.then(() => 'SENT'), timeout])) !== 'SENT') break
    }
    this.shut()
  }

  #add(signal: Signal): void {
    const { topic, payload } = signal
    if (payload !== undefined && !this.#isOpen) return
    const key = formatSignal({ topic, payload })
    const { traces = [] } = this.#unsent.get(key) ?? {}
    // The latest of several comes last: a state that was taken back and taken up again.
    if (!this.#unsent.delete(key) && this.#unsent.size >= MAX_UNSENT) {
      if (isKeyTopic(topic)) this.#unsent.set(ALL_KEYS, { topic: ALL_KEYS })
      return
    }
    const all = [...traces, ...(signal.traces ?? [])].slice(-MAX_TRACES)
    this.#unsent.set(key, all.length > 0 ? { ...signal, traces: all } : signal)
  }

  /** What a conversation's streams are told of: where their delivery belongs. */
  #inTrace(signal: Signal): Signal {
    const span = this.#isOpen && signal.topic.startsWith('conversation:') ? startSending('signal') : null
    if (!span) return signal
    this.#spans.push(span)
    return { ...signal, traces: [traceParentOf(span)] }
  }

  #flush(): void {
    if (!this.#isOpen || this.#sending || this.#unsent.size === 0) return
    const batch = [...this.#unsent.values()]
    this.#unsent.clear()
    const spans = this.#spans.splice(0)
    this.#sending = this.#send(batch).then(
      () => {
        this.#sending = null
        for (const span of spans) span.end()
        this.#flush()
      },
      (error: Error) => {
        this.#sending = null
        for (const span of spans) span.end()
        for (const signal of batch) if (isKeyTopic(signal.topic)) this.#add(signal)
        this.#log.warn({ reason: error }, 'signals could not be sent')
        this.#startTimer()
      }
    )
  }

  #repeatLater(topic: Topic): void {
    const isFull = this.#repeats.size >= MAX_UNSENT && !this.#repeats.has(topic)
    this.#repeats.set(isFull ? ALL_KEYS : topic, KEY_REPEATS)
    this.#startTimer()
  }

  #startTimer(): void {
    this.#timer ??= setInterval(() => this.#tick(), REPEAT_MS).unref()
  }

  #tick(): void {
    for (const [topic, left] of this.#repeats) {
      this.#add({ topic })
      if (left > 1) this.#repeats.set(topic, left - 1)
      else this.#repeats.delete(topic)
    }
    this.#flush()
    if (this.#repeats.size > 0 || this.#unsent.size > 0 || !this.#timer) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
