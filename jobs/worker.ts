import { createPostgresBackend, Queue, Worker } from 'bullmq'
import type { Services } from '../src/services.js'
import { schedule } from './schedule.js'

/** One queue for all jobs: each is short, and the database decides what there is to do. */
const QUEUE = 'conclave'

/**
 * Runs the scheduled jobs, on PostgreSQL. Any number of workers may run: the queue hands each run to one
 * of them.
 */
export async function startWorker(services: Services, databaseUrl: string): Promise<{ close(): Promise<void> }> {
  const { config, log } = services
  const connection = { connectionString: databaseUrl, migrate: true, schema: 'bullmq', max: 4 }
  const queue = new Queue(QUEUE, { connection }, createPostgresBackend)
  queue.on('error', (error) => log.warn({ reason: error.message }, 'job queue'))
  for (const { name, everyMs } of schedule) {
    const job = { name, opts: { removeOnComplete: true, removeOnFail: 100 } }
    await queue.upsertJobScheduler(name, { every: everyMs(config) }, job)
  }
  const stopping = new AbortController()
  const worker = new Worker(
    QUEUE,
    (job) => runJob(services, job.name, stopping.signal),
    { connection },
    createPostgresBackend
  )
  worker.on('error', (error) => log.warn({ reason: error.message }, 'worker'))
  worker.on('failed', (job, error) => log.error({ job: job?.name, reason: error.message }, 'job failed'))
  return {
    async close() {
      stopping.abort()
      await worker.close()
      await queue.close()
    }
  }
}

async function runJob(services: Services, name: string, stop: AbortSignal): Promise<void> {
  // A job that an older or newer version has scheduled is not this version's to run.
  await schedule.find((job) => job.name === name)?.run(services, stop)
}
