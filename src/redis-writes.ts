import type { Cluster, Redis } from 'ioredis'

/** Nothing has this key. In a cluster it would be where the queue's keys are. */
const KEY = '{conclave}:writable'

/** How Redis refuses a write that it would take at another time. */
const REFUSAL = /^(OOM|MISCONF|READONLY|NOREPLICAS)\b/

/**
 * Tries a write that changes nothing: it would only replace what is there. A Redis that is full, that cannot save, or
 * that is a replica answers everything else, and refuses this as it refuses all writes.
 *
 * @returns why writes are refused; null where they are not
 * @throws where there is no answer, or another one
 */
export async function refusalOfWrites(redis: Redis | Cluster): Promise<Error | null> {
  try {
    await redis.set(KEY, '', 'XX')
    return null
  } catch (error) {
    if (error instanceof Error && REFUSAL.test(error.message)) return error
    throw error
  }
}
