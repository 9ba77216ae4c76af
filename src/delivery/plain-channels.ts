import { Redis } from 'ioredis'
import { type ChannelEvents, FAIL_AT_ONCE, LISTENING, PUBLISH_MS, type RedisChannels } from './redis-channels.js'

/** Channels in one command. */
const BATCH = 1_000

/** One connection to publish on and one to listen on, however many channels there are. */
export class PlainChannels implements RedisChannels {
  readonly #publisher: Redis
  readonly #subscriber: Redis

  constructor(url: string, events: ChannelEvents) {
    const options = { ...FAIL_AT_ONCE, ...LISTENING }
    this.#publisher = new Redis(url, { ...options, connectionName: 'conclave-publisher', commandTimeout: PUBLISH_MS })
    this.#subscriber = new Redis(url, options)
    for (const redis of this.#connections) redis.on('error', (error: Error) => events.onError(error))
    this.#publisher.on('ready', () => events.onPublisherUp())
    this.#publisher.on('close', () => events.onPublisherDown())
    this.#subscriber.on('ready', () => events.onSubscriberUp())
    this.#subscriber.on('close', () => events.onSubscriberDown())
    this.#subscriber.on('message', (channel: string, message: string) => events.onMessage(channel, message))
  }

  async publish(channel: string, message: string): Promise<void> {
    await this.#publisher.publish(channel, message)
  }

  async subscribe(channels: string[]): Promise<void> {
    const confirmed: Promise<unknown>[] = []
    for (let from = 0; from < channels.length; from += BATCH) {
      confirmed.push(this.#subscriber.subscribe(...channels.slice(from, from + BATCH)))
    }
    await Promise.all(confirmed)
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.#subscriber.unsubscribe(channel)
  }

  reconnect(): void {
    for (const redis of this.#connections) {
      if (redis.status === 'ready' || redis.status === 'connect') redis.disconnect(true)
    }
  }

  close(): void {
    for (const redis of this.#connections) redis.disconnect()
  }

  get #connections(): Redis[] {
    return [this.#publisher, this.#subscriber]
  }
}
