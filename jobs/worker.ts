import { z } from 'zod'
import type { Services } from '../src/services.js'
import { keepSchedule, putSchedule } from './keep-schedule.js'
import { runOperation } from './key-operations.js'
import { OPERATION_JOBS, openQueue, openWorker, type QueuePlace, type RunningJob } from './queue.js'
import { schedule } from './schedule.js'
import { unlessStopped } from './unless-stopped.js'

/** Of either queue. */
const JOBS: readonly string[] = [...new Set([...schedule.map(({ name }) => name), ...OPERATION_JOBS])]

/** What a step waits for the queue to take note of it. */
const PROGRESS_MS = 1_000

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
  const scheduling = { queue, outage: place.outage, config: services.config, stop: stopping.signal }
  const getReady = async () => {
    await putSchedule(scheduling)
    void keepSchedule(scheduling, log)
    for (const worker of workers) await worker.waitUntilReady()
  }
  const ready = getReady()
  // Whoever waits for it is told; nobody has to.
  ready.catch(() => {})
  return {
    ready,
    async close() {
      stopping.abort()
      // At once: each of them may find that nothing answers.
      const ends = await Promise.allSettled([...workers, queue].map((one) => one.close()))
      const failed = ends.find(({ status }) => status === 'rejected')
      if (failed?.status === 'rejected') throw failed.reason
    }
  }
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

const nudge = z.object({ id: z.guid() })

async function runNudged(services: Services, job: RunningJob, stop: AbortSignal): Promise<void> {
  // What is no nudge is nobody's to run.
  const { data } = nudge.safeParse(job.data)
  if (!data) return
  await runOperation(services, data.id, stop, async ({ done, failed, total }) => {
    // For those who watch the queue: what counts stands in the operation's row. A queue that is away holds nothing up.
    const told = job
      .updateProgress({ done, failed, total })
      .catch((error: Error) => services.log.warn({ reason: error }, 'progress'))
    await unlessStopped(told, AbortSignal.any([stop, AbortSignal.timeout(PROGRESS_MS)]))
  })
}
