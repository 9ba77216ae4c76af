import calculateSlot from 'cluster-key-slot'
import { type Cluster, Redis } from 'ioredis'
import { nodeOptions, openRedisCluster } from '../redis-cluster.js'
import type { RedisClusterPlace } from '../redis-url.js'
import {
  type ChannelEvents,
  FAIL_AT_ONCE,
  LISTENING,
  PUBLISH_MS,
  RETRY_MS,
  type RedisChannels
} from './redis-channels.js'

/**
 * Sharded publish and subscribe of a cluster: for each of its masters one connection of either kind.
 *
 * The client's own sharded subscribers are not used: with a master away, those of ioredis 6.0 look for it a hundred times a
 * second, and do not come back to all channels.
 */
export class ShardedChannels implements RedisChannels {
  readonly #place: RedisClusterPlace
  readonly #events: ChannelEvents
  readonly #cluster: Cluster
  /** By `host:port` of the master. */
  readonly #subscribers = new Map<string, Redis>()
  /** Which master has each slot, when it was looked at last. */
  #slots = ''

  constructor(place: RedisClusterPlace, events: ChannelEvents) {
    this.#place = place
    this.#events = events
    const options = { ...FAIL_AT_ONCE, connectionName: 'conclave-publisher', commandTimeout: PUBLISH_MS }
    this.#cluster = openRedisCluster(place, options, {
      enableOfflineQueue: false,
      // Fails at once as well: the next beat finds out, and repetitions are the outbox's.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      clusterRetryStrategy: () => RETRY_MS
    })
    this.#cluster.on('error', (error: Error) => events.onError(error))
    this.#cluster.on('ready', () => events.onPublisherUp())
    this.#cluster.on('close', () => events.onPublisherDown())
    this.#cluster.on('refresh', () => this.#follow())
  }

  async publish(channel: string, message: string): Promise<void> {
    await this.#cluster.spublish(channel, message)
  }

  async subscribe(channels: string[]): Promise<void> {
    await Promise.all(channels.map(async (channel) => await this.#subscriberOf(channel).ssubscribe(channel)))
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.#subscriberOf(channel).sunsubscribe(channel)
  }

  reconnect(): void {
    if (this.#cluster.status === 'ready') this.#cluster.disconnect(true)
    for (const redis of this.#subscribers.values()) {
      if (redis.status === 'ready' || redis.status === 'connect') redis.disconnect(true)
    }
  }

  close(): void {
    this.#cluster.disconnect()
    for (const redis of this.#subscribers.values()) redis.disconnect()
    this.#subscribers.clear()
  }

  /** The cluster has told which master has which slots. */
  #follow(): void {
    const slots = JSON.stringify(this.#cluster.slots)
    if (slots === this.#slots) return
    this.#slots = slots
    const masters = new Set(this.#cluster.slots.flatMap(([master]) => master ?? []))
    for (const [master, redis] of this.#subscribers) {
      if (masters.has(master)) continue
      this.#subscribers.delete(master)
      redis.disconnect()
    }
    for (const master of masters) if (!this.#subscribers.has(master)) this.#subscribers.set(master, this.#open(master))
    // Slots that have moved have left their subscriptions behind.
    this.#events.onSubscriberUp()
  }

  #open(master: string): Redis {
    const colon = master.lastIndexOf(':')
    const redis = new Redis({
      ...nodeOptions(this.#place, { ...FAIL_AT_ONCE, ...LISTENING }),
      host: master.slice(0, colon),
      port: Number(master.slice(colon + 1))
    })
    redis.on('error', (error: Error) => this.#events.onError(error))
    redis.on('ready', () => this.#events.onSubscriberUp())
    redis.on('close', () => {
      if (this.#subscribers.get(master) !== redis) return
      this.#events.onSubscriberDown()
      this.#lookAgain()
    })
    redis.on('moved', () => this.#lookAgain())
    redis.on('smessage', (channel: string, message: string) => this.#events.onMessage(channel, message))
    return redis
  }

  #lookAgain(): void {
    if (this.#cluster.status === 'ready') this.#cluster.refreshSlotsCache()
  }

  #subscriberOf(channel: string): Redis {
    const [master] = this.#cluster.slots[calculateSlot(channel)] ?? []
    const redis = master === undefined ? undefined : this.#subscribers.get(master)
    if (!redis) throw new Error('the master of a channel is not known')
    return redis
  }
}
