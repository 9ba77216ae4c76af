import type { Queue } from 'bullmq'
import type { WatchedQueues } from '../src/key-life/job-queue.js'
import { openQueue, QUEUE_NAMES, type QueuePlace } from './queue.js'

/** All queues, on connections of their own, which nothing but the first look opens. */
export function watchQueues(place: QueuePlace): WatchedQueues {
  let opened: Queue[] | null = null
  return {
    isInRedis: place.redisUrl !== null,
    open() {
      opened ??= QUEUE_NAMES.map((name) => openQueue(name, place))
      return opened
    },
    async close() {
      for (const queue of opened ?? []) await queue.close()
    }
  }
}
