import { randomUUID } from 'node:crypto'
import { Heartbeat } from '../heartbeat.js'
import type { Logger } from '../log.js'
import { parseRedisCluster } from '../redis-url.js'
import { Listeners } from './listeners.js'
import { Outbox } from './outbox.js'
import { PlainChannels } from './plain-channels.js'
import type { ChannelEvents, RedisChannels } from './redis-channels.js'
import { ShardedChannels } from './sharded-channels.js'
import { carriedPayload, isKeyTopic, type Signal, type Signals, type Topic, type Wake } from './signals.js'

const PREFIX = 'conclave:'
/** One for the keys of all conversations: every process has to hear of all of them. */
const KEYS_CHANNEL = 'conclave:{keys}'

/**
 * Signals over publish and subscribe of Redis, on two connections per process (in a cluster, per master). A process
 * hears of the topics only that somebody listens to in it, and of all changes of keys.
 *
 * Whether it hears at all it learns from what it says to itself, once a second, beside the channel of the keys. Redis
 * may be away, at the start as well: streams poll, and cached keys are forgotten every few seconds.
 */
export class RedisSignals implements Signals {
  readonly carrier = 'Redis'
  readonly #log: Logger
  readonly #listeners: Listeners
  readonly #outbox: Outbox
  readonly #channels: RedisChannels
  readonly #heartbeat = new Heartbeat(
    () => this.#beat(),
    () => this.#silent()
  )
  /** With the same hash tag as the channel of the keys: in a cluster it comes the same way. */
  readonly #echoChannel = `${KEYS_CHANNEL}:${randomUUID()}`
  /** Topics whose channel Redis has not confirmed. */
  readonly #unconfirmed = new Set<Topic>()
  #hears = false
  #missesChannels = false
  #isOutageKnown = false
  #closed = false

  constructor(url: string, log: Logger) {
    this.#log = log
    this.#listeners = new Listeners(
      log,
      (topic) => this.#begin(topic),
      (topic) => this.#end(topic)
    )
    this.#outbox = new Outbox((batch) => this.#send(batch), log)
    this.#channels = openChannels(url, {
      onPublisherUp: () => this.#outbox.open(),
      onPublisherDown: () => this.#outbox.shut(),
      onSubscriberUp: () => this.#listenToAll(),
      onSubscriberDown: () => this.#lost('the connection was closed'),
      onMessage: (channel, message) => this.#receive(channel, message),
      onError: (error) => this.#lost(error.message)
    })
  }

  get isHearing(): boolean {
    return this.#hears
  }

  publish(topic: Topic, payload?: string): void {
    this.#outbox.publish({ topic, payload })
  }

  subscribe(topic: Topic, wake: Wake): () => void {
    return this.#listeners.add(topic, wake)
  }

  onKeyChange(wake: (conversationId: string | null) => void): () => void {
    return this.#listeners.addForKeys(wake)
  }

  async close(): Promise<void> {
    await this.#outbox.close()
    this.#closed = true
    this.#heartbeat.stop()
    this.#channels.close()
  }

  async #send(batch: Signal[]): Promise<void> {
    await Promise.all(
      batch.map((signal) =>
        isKeyTopic(signal.topic)
          ? this.#channels.publish(KEYS_CHANNEL, signal.topic)
          : this.#channels.publish(PREFIX + signal.topic, carriedPayload(signal) ?? '')
      )
    )
  }

  #receive(channel: string, message: string): void {
    const topic = channel.slice(PREFIX.length) as Topic
    if (channel === this.#echoChannel) this.#heard()
    else if (channel === KEYS_CHANNEL) this.#listeners.wake(message as Topic)
    else if (this.#listeners.has(topic)) this.#listeners.wake(topic, message === '' ? undefined : message)
    // Redis has not taken notice that the last listener has left.
    else this.#end(topic)
  }

  #begin(topic: Topic): void {
    if (isKeyTopic(topic)) return
    this.#unconfirmed.add(topic)
    this.#confirm([topic])
  }

  #end(topic: Topic): void {
    if (isKeyTopic(topic)) return
    this.#unconfirmed.delete(topic)
    this.#channels.unsubscribe(PREFIX + topic).catch(() => {})
  }

  /** What was signalled before Redis has confirmed a channel was missed. */
  #confirm(topics: Topic[]): void {
    this.#channels.subscribe(topics.map((topic) => PREFIX + topic)).then(
      () => {
        for (const topic of topics) if (this.#unconfirmed.delete(topic)) this.#listeners.wake(topic)
      },
      // Tried again with the next beat, or the next connection.
      () => {}
    )
  }

  /** The echo's channel comes last: once it is heard, so are the others. */
  #listenToAll(): void {
    const topics = this.#listeners.topics.filter((topic) => !isKeyTopic(topic))
    const channels = topics.map((topic) => PREFIX + topic)
    this.#hears = false
    this.#missesChannels = false
    this.#channels.subscribe([...channels, KEYS_CHANNEL, this.#echoChannel]).then(
      () => {
        for (const topic of topics) this.#unconfirmed.delete(topic)
        this.#beat()
      },
      // Tried again with the next connection, or the next beat: Redis may be there, and not ready.
      (error: Error) => {
        this.#missesChannels = true
        this.#log.debug({ reason: error }, 'signals could not be subscribed to')
      }
    )
  }

  #beat(): void {
    this.#channels.publish(this.#echoChannel, '').catch(() => {})
    if (this.#missesChannels) this.#listenToAll()
    else if (this.#hears && this.#unconfirmed.size > 0) this.#confirm([...this.#unconfirmed])
  }

  #heard(): void {
    this.#heartbeat.answered()
    if (this.#hears) return
    this.#hears = true
    if (this.#isOutageKnown) this.#log.info('signals are heard again')
    this.#isOutageKnown = false
    // Whatever was signalled meanwhile was lost.
    this.#listeners.wakeAll()
  }

  #lost(reason: string): void {
    const heard = this.#hears
    this.#hears = false
    if (this.#closed) return
    if (heard) this.#listeners.wakeAllKeys()
    if (this.#isOutageKnown) return
    this.#isOutageKnown = true
    this.#log.warn(
      { reason },
      'connection for signals lost: until it is back, events come within five seconds instead of at once'
    )
  }

  /** What happens to keys meanwhile this process does not hear: it keeps none for long. */
  #silent(): void {
    this.#lost('there was no answer')
    this.#listeners.wakeAllKeys()
    this.#channels.reconnect()
  }
}

/** @param url of a single Redis, or of a cluster, where publish and subscribe are sharded */
function openChannels(url: string, events: ChannelEvents): RedisChannels {
  const cluster = parseRedisCluster(url)
  return cluster ? new ShardedChannels(cluster, events) : new PlainChannels(url, events)
}
