/** Publish and subscribe of Redis: nothing here waits for a connection, and what needs one fails without. */
export interface RedisChannels {
  publish(channel: string, message: string): Promise<unknown>
  /** Settles when Redis has confirmed all of them. Subscribing twice is subscribing once. */
  subscribe(channels: string[]): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  /** Gives up connections that do not work although they seem to be there. */
  reconnect(): void
  close(): void
}

export interface ChannelEvents {
  /** Messages can be published. */
  onPublisherUp(): void
  onPublisherDown(): void
  /** There is a new connection for subscriptions, and it has none of those that the old one had. */
  onSubscriberUp(): void
  onSubscriberDown(): void
  onMessage(channel: string, message: string): void
  onError(error: Error): void
}

export const RETRY_MS = 500
/**
 * Commands fail at once where there is no connection, those that are under way when one breaks as well, and nothing
 * gathers in memory.
 */
export const FAIL_AT_ONCE = { connectTimeout: 3_000, maxRetriesPerRequest: 0 }
/** We know ourselves what to subscribe to again. */
export const LISTENING = {
  connectionName: 'conclave-subscriber',
  enableOfflineQueue: false,
  autoResubscribe: false,
  retryStrategy: () => RETRY_MS
}
/** For an answer to a message that was published. */
export const PUBLISH_MS = 2_000
