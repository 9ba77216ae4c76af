import { setTimeout as delay } from 'node:timers/promises'
import type { Queue } from 'bullmq'
import type { Logger } from '../src/log.js'
import type { Services } from '../src/services.js'
import { isQueueOutage, type QueueOutage } from './queue-outage.js'
import { type ScheduledJob, schedule } from './schedule.js'

const RETRY_MS = 1_000

/** The schedule on its way into the queue. */
interface Scheduling {
  queue: Queue
  outage: QueueOutage
  config: Services['config']
  stop: AbortSignal
}

/** Puts the schedule into the queue, as soon as that takes it. @throws what does not pass by itself */
export async function putSchedule(scheduling: Scheduling): Promise<void> {
  const { outage, stop } = scheduling
  for (;;) {
    try {
      await put(scheduling, schedule)
      return
    } catch (error) {
      if (stop.aborted || !isQueueOutage(error)) throw error
      outage.failed(error as Error)
    }
    await delay(RETRY_MS, undefined, { signal: stop })
  }
}

/**
 * Puts back what is missing, or has no next run any more, until it is stopped: a Redis that has kept nothing on its disk
 * starts with nothing.
 */
export async function keepSchedule(scheduling: Scheduling, log: Logger): Promise<void> {
  const { outage, config, stop } = scheduling
  for (;;) {
    await delay(config.scanEveryMs, undefined, { signal: stop }).catch(() => {})
    if (stop.aborted) return
    try {
      await put(scheduling, await findMissing(scheduling))
    } catch (error) {
      if (stop.aborted) return
      if (isQueueOutage(error)) outage.failed(error as Error)
      else log.error({ reason: error }, 'the schedule cannot be looked at')
    }
  }
}

/** A run that takes long has its next one late. */
async function findMissing({ queue, config }: Scheduling): Promise<ScheduledJob[]> {
  const nextRuns = new Map((await queue.getJobSchedulers()).map(({ key, next }) => [key, next ?? 0]))
  const now = Date.now()
  return schedule.filter(({ name, everyMs }) => (nextRuns.get(name) ?? 0) < now - 2 * everyMs(config))
}

async function put({ queue, config }: Scheduling, jobs: readonly ScheduledJob[]): Promise<void> {
  for (const { name, everyMs } of jobs) {
    const job = { name, opts: { removeOnComplete: true, removeOnFail: 100 } }
    await queue.upsertJobScheduler(name, { every: everyMs(config) }, job)
  }
}
