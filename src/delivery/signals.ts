/**
 * What has changed: the log of a conversation, its members' activity, its keys, an operation on keys, the
 * conversations that a user is in, or how far the user has read one of them.
 */
export type Topic =
  | `conversation:${string}`
  | `activity:${string}`
  | KeyTopic
  | `operation:${string}`
  | `user:${string}`
  | `marks:${string}`

/** Of the keys of one conversation, or of any: `keys:*`. */
export type KeyTopic = `keys:${string}`

export interface Signal {
  topic: Topic
  /** Ids, flags and positions; for what is live only and stands in no table. */
  payload?: string | undefined
  /** Where in which traces the change was made, as W3C's Trace Context writes it: a hint, only where there is no payload. */
  traces?: readonly string[] | undefined
}

/** Called without a payload when a signal of the topic may have been lost. What has none of its own may have its traces. */
export type Wake = (payload?: string) => void

/**
 * Signals say that something has changed, and no more. They may be lost, late, repeated or out of order: whoever
 * is woken looks at the database, and a signal only says when.
 */
export interface Signals {
  /** What carries them. */
  readonly carrier: 'PostgreSQL' | 'Redis'
  /** Whether this process hears what is signalled: known within three seconds. */
  readonly isHearing: boolean
  /** Tells every process, soon; called after the change has committed. */
  publish(topic: Topic, payload?: string): void
  /**
   * Calls `wake` on every signal of the topic, and whenever some may have been lost.
   *
   * @returns a function that ends it
   */
  subscribe(topic: Topic, wake: Wake): () => void
  /** Calls `wake` on signals of any conversation's keys with its id, and with null when some may have been lost. */
  onKeyChange(wake: (conversationId: string | null) => void): () => void
  close(): Promise<void>
}

/** Between a topic and a payload in one text: ids hold spaces, and no control characters. */
const SEPARATOR = '\n'
const TRACE_SEPARATOR = ','
/** Of one signal: of more changes at once, the rest goes without. */
export const MAX_TRACES = 8

/** What is sent beside the topic. */
export function carriedPayload({ payload, traces }: Signal): string | undefined {
  return payload ?? traces?.join(TRACE_SEPARATOR)
}

/** @param payload of a topic that has none of its own */
export function tracesIn(payload: string | undefined): string[] {
  return payload?.split(TRACE_SEPARATOR, MAX_TRACES) ?? []
}

/** Topic and payload in one text, for a carrier that has one channel for all. */
export function formatSignal({ topic, payload }: Signal): string {
  return payload === undefined ? topic : topic + SEPARATOR + payload
}

/** Whoever gets to the carrier can signal: the topic may be any text. */
export function parseSignal(text: string): Signal {
  const end = text.indexOf(SEPARATOR)
  if (end < 0) return { topic: text as Topic }
  return { topic: text.slice(0, end) as Topic, payload: text.slice(end + SEPARATOR.length) }
}

export const ALL_KEYS: KeyTopic = 'keys:*'

export function isKeyTopic(topic: string): topic is KeyTopic {
  return topic.startsWith('keys:')
}
