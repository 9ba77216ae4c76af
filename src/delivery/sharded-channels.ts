import type { Cluster } from 'ioredis'
import { openRedisCluster } from '../redis-cluster.js'
import type { RedisClusterPlace } from '../redis-url.js'
import { type ChannelEvents, FAIL_AT_ONCE, PUBLISH_MS, RETRY_MS, type RedisChannels } from './redis-channels.js'

/** Sharded publish and subscribe of a cluster: for each of its masters one connection of either kind. */
export class ShardedChannels implements RedisChannels {
  readonly #cluster: Cluster
  /** Those that the client subscribes to again by itself, on whatever node they come to lie. */
  readonly #known = new Set<string>()

  constructor(place: RedisClusterPlace, events: ChannelEvents) {
    const ofNodes = {
      connectTimeout: FAIL_AT_ONCE.connectTimeout,
      connectionName: 'conclave-signals',
      commandTimeout: PUBLISH_MS,
      maxRetriesPerRequest: 0
    }
    this.#cluster = openRedisCluster(place, ofNodes, {
      enableOfflineQueue: FAIL_AT_ONCE.enableOfflineQueue,
      shardedSubscribers: true,
      clusterRetryStrategy: () => RETRY_MS
    })
    this.#cluster.on('error', (error: Error) => events.onError(error))
    this.#cluster.on('ready', () => {
      events.onPublisherUp()
      events.onSubscriberUp()
    })
    this.#cluster.on('close', () => {
      events.onPublisherDown()
      events.onSubscriberDown()
    })
    this.#cluster.on('subscribersReady', () => events.onSubscriberUp())
    this.#cluster.on('smessage', (channel: string, message: string) => events.onMessage(channel, message))
  }

  async publish(channel: string, message: string): Promise<void> {
    await this.#cluster.spublish(channel, message)
  }

  async subscribe(channels: string[]): Promise<void> {
    await Promise.all(channels.map((channel) => this.#subscribe(channel)))
  }

  async unsubscribe(channel: string): Promise<void> {
    this.#known.delete(channel)
    await this.#cluster.sunsubscribe(channel)
  }

  reconnect(): void {
    if (this.#cluster.status === 'ready' || this.#cluster.status === 'connect') this.#cluster.disconnect(true)
  }

  close(): void {
    this.#cluster.disconnect()
  }

  async #subscribe(channel: string): Promise<void> {
    // The client would list it a second time.
    if (this.#known.has(channel)) return
    this.#known.add(channel)
    try {
      await this.#cluster.ssubscribe(channel)
    } catch (error) {
      await this.unsubscribe(channel).catch(() => {})
      throw error
    }
  }
}
