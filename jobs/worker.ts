import type { Queue, Worker } from 'bullmq'
import type { Services } from '../src/services.js'
import { runOperation } from './key-operations.js'
import { OPERATION_JOBS, openQueue, openWorker, type QueuePlace, type RunningJob } from './queue.js'
import { schedule } from './schedule.js'

/** Of either queue. */
const JOBS: readonly string[] = [...new Set([...schedule.map(({ name }) => name), ...OPERATION_JOBS])]

export interface RunningWorker {
  /** Settles once the schedule is in the queue and both kinds of jobs are fetched: for as long as the queue is away it waits. */
  ready: Promise<void>
  /** At any time, while it waits as well. */
  close(): Promise<void>
}

/**
 * Runs the scheduled jobs and the operations on keys. Any number of workers may run: the queue hands each
 * run to one of them, and the database lets only one of them do each thing.
 */
export function startWorker(services: Services, place: QueuePlace): RunningWorker {
  const { log, metrics } = services
  metrics.jobs.expect(JOBS)
  const queue = openQueue('conclave-schedule', place)
  const stopping = new AbortController()
  const runOnce = onceAtATime((job) => measured(services, job, () => runScheduled(services, job, stopping.signal)))
  const workers = [
    openWorker('conclave-schedule', place, log, runOnce),
    openWorker('conclave-operations', place, log, (job) =>
      measured(services, job, () => runNudged(services, job, stopping.signal))
    )
  ]
  return {
    ready: getReady(services, queue, workers),
    async close() {
      stopping.abort()
      for (const worker of workers) await worker.close()
      await queue.close()
    }
  }
}

async function getReady({ config }: Services, queue: Queue, workers: Worker[]): Promise<void> {
  for (const { name, everyMs } of schedule) {
    const job = { name, opts: { removeOnComplete: true, removeOnFail: 100 } }
    await queue.upsertJobScheduler(name, { every: everyMs(config) }, job)
  }
  for (const worker of workers) await worker.waitUntilReady()
}

/** The queue has the next run ready when one begins: a slow one must not take the places of the others. */
function onceAtATime(run: (job: RunningJob) => Promise<void>): (job: RunningJob) => Promise<void> {
  const running = new Set<string>()
  return async (job) => {
    if (running.has(job.name)) return
    running.add(job.name)
    try {
      await run(job)
    } finally {
      running.delete(job.name)
    }
  }
}

/** What comes from the queue may have any name: whoever gets to it can add a job. */
async function measured({ metrics }: Services, { name }: RunningJob, run: () => Promise<void>): Promise<void> {
  await metrics.jobs.measure(JOBS.includes(name) ? name : 'other', run)
}

async function runScheduled(services: Services, { name }: RunningJob, stop: AbortSignal): Promise<void> {
  // Fetched while the worker was closing already: it comes again.
  if (stop.aborted) return
  // A job that an older or newer version has scheduled is not this version's to run.
  await schedule.find((scheduled) => scheduled.name === name)?.run(services, stop)
}

async function runNudged(services: Services, job: RunningJob, stop: AbortSignal): Promise<void> {
  if (!job.data.id) return
  await runOperation(services, job.data.id, stop, async ({ done, failed, total }) => {
    // For those who watch the queue: what counts stands in the operation's row.
    await job
      .updateProgress({ done, failed, total })
      .catch((error: Error) => services.log.warn({ reason: error }, 'progress'))
  })
}
