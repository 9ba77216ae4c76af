import type { Cluster, Redis } from 'ioredis'

/** Nothing has this key. */
const KEY = 'conclave:writable'

/**
 * Tries a write that changes nothing: it would only replace what is there. A Redis that is full, that cannot save, or
 * that is a replica answers everything else, and refuses this as it refuses all writes.
 *
 * @returns why writes are refused; null where they are not
 * @throws where there is no answer
 */
export async function refusalOfWrites(redis: Redis | Cluster): Promise<Error | null> {
  try {
    await redis.set(KEY, '', 'XX')
    return null
  } catch (error) {
    // What Redis itself has answered; anything else is no answer.
    if (error instanceof Error && error.name === 'ReplyError') return error
    throw error
  }
}
