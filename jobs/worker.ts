import type { Services } from '../src/services.js'
import { runOperation } from './key-operations.js'
import { KEY_OPERATION, openQueue, openWorker, type QueuePlace, type RunningJob } from './queue.js'
import { schedule } from './schedule.js'

/**
 * Runs the scheduled jobs and the operations on keys. Any number of workers may run: the queue hands each
 * run to one of them, and the database lets only one of them do each thing.
 */
export async function startWorker(services: Services, place: QueuePlace): Promise<{ close(): Promise<void> }> {
  const { config, log } = services
  const queue = openQueue(place, log)
  for (const { name, everyMs } of schedule) {
    const job = { name, opts: { removeOnComplete: true, removeOnFail: 100 } }
    await queue.upsertJobScheduler(name, { every: everyMs(config) }, job)
  }
  const stopping = new AbortController()
  const worker = openWorker(place, log, (job) => runJob(services, job, stopping.signal))
  await worker.waitUntilReady()
  return {
    async close() {
      stopping.abort()
      await worker.close()
      await queue.close()
    }
  }
}

async function runJob(services: Services, job: RunningJob, stop: AbortSignal): Promise<void> {
  const { name, data } = job
  if (name === KEY_OPERATION && data.id) {
    return await runOperation(services, data.id, stop, ({ done, failed, total }) =>
      job.updateProgress({ done, failed, total })
    )
  }
  // A job that an older or newer version has scheduled is not this version's to run.
  await schedule.find((scheduled) => scheduled.name === name)?.run(services, stop)
}
