import { setTimeout as delay } from 'node:timers/promises'
import { createPostgresBackend, type Job, Queue, Worker } from 'bullmq'
import { type Cluster, Redis } from 'ioredis'
import type { DatabaseLogin } from '../src/database/database-login.js'
import type { JobQueue } from '../src/key-life/job-queue.js'
import type { KeyOperationKind } from '../src/key-life/key-operations.js'
import type { Logger } from '../src/log.js'
import { type Fault, faultOf } from '../src/reason-of.js'
import { openRedisCluster } from '../src/redis-cluster.js'
import { parseRedisCluster } from '../src/redis-url.js'
import type { QueueOutage } from './queue-outage.js'

/** Two queues, so that long operations never keep the schedule waiting. What is to be done, the database says. */
export const QUEUE_NAMES = ['conclave-schedule', 'conclave-operations'] as const
export type QueueName = (typeof QUEUE_NAMES)[number]

/** Of the schedule each job runs once at a time; there are no more of them than this. */
const CONCURRENCY: Record<QueueName, number> = { 'conclave-schedule': 16, 'conclave-operations': 2 }
/** What a nudge is called, for those who watch the queue; its data is the operation's id. */
const JOB_NAMES: Record<KeyOperationKind, string> = {
  ROTATE_DUE: 'rotate-due',
  DESTROY_DUE: 'destroy-due',
  REFILL_POOL: 'refill-key-pool',
  REENCRYPT: 'reencrypt',
  REWRAP: 'rewrap-private-keys',
  PURGE: 'purge',
  EXPORT: 'export'
}

export const OPERATION_JOBS: readonly string[] = Object.values(JOB_NAMES)

/** A Redis that takes longer to answer is not waited for at the end. */
const ANSWER_MS = 1_000

/** In the database; see queue-schema.ts. */
export const QUEUE_SCHEMA = 'bullmq'

/** Where BullMQ keeps its queue: in Redis where there is one, in the database otherwise. */
export interface QueuePlace {
  database: DatabaseLogin
  redisUrl: string | null
  outage: QueueOutage
}

/** What a worker sees of a job. */
export interface RunningJob {
  name: string
  /** Whatever was put there: whoever gets to the queue can add a job. */
  data: unknown
  updateProgress(progress: object): Promise<void>
}

/** A queue and the connection below it, which BullMQ leaves open where it did not open it. */
export function openQueue(name: QueueName, place: QueuePlace): Queue {
  const queue = open(
    place,
    (connection) => new Queue(name, connection),
    (connection) => new Queue(name, connection, createPostgresBackend)
  )
  queue.on('error', (error) => place.outage.failed(error))
  return queue
}

export function openWorker(
  name: QueueName,
  place: QueuePlace,
  log: Logger,
  run: (job: RunningJob) => Promise<void>
): Worker {
  const running = new Set<Promise<void>>()
  const process = async (job: Job) => {
    const work = run(job).finally(() => running.delete(work))
    running.add(work)
    await work.catch(failSafely)
  }
  // A job that has stalled is not lost: the schedule brings the work up again. It must only not fail for good.
  const options = { concurrency: CONCURRENCY[name], maxStalledCount: 10 }
  const worker = open(
    place,
    (connection) => new Worker(name, process, { ...options, ...connection }),
    (connection) => new Worker(name, process, { ...options, ...connection }, createPostgresBackend),
    async (own) => {
      // Nothing is fetched any more. BullMQ itself would wait for the queue to take note of the last jobs.
      await own.pause(true)
      await Promise.allSettled(running)
    }
  )
  worker.on('error', (error) => place.outage.failed(error))
  worker.on('failed', (job, error) => log.error({ job: job?.name, reason: error }, 'job failed'))
  return worker
}

/** What a failed job says is kept in the queue, with the place that it came from. */
class JobFailure extends Error {
  override readonly name = 'JobFailure'

  constructor({ name, reason, stack = '' }: Fault) {
    super(reason)
    this.stack = `${name}: ${reason}\n${stack}`
  }
}

function failSafely(error: unknown): never {
  throw new JobFailure(faultOf(error))
}

/** The queue as the processes use it that only announce work. */
export function createJobQueue(place: QueuePlace, log: Logger): JobQueue {
  const queue = openQueue('conclave-operations', place)
  return {
    nudge({ id, kind }) {
      // No job id of its own: the job of a worker that was killed would keep this one out until it has stalled.
      // A nudge too many finds the operation's row locked, or finished, and is done.
      const options = { removeOnComplete: true, removeOnFail: true }
      queue.add(JOB_NAMES[kind], { id }, options).catch((error: Error) => log.warn({ reason: error }, 'nudge failed'))
    },
    backlog: () => queue.getWaitingCount(),
    close: () => queue.close()
  }
}

type RedisConnection = { connection: Redis | Cluster; prefix?: string }
type PostgresConnection = { connection: Pick<DatabaseLogin, keyof DatabaseLogin> & { schema: string; max: number } }

/**
 * Opens a queue or a worker on the one or the other; the two differ in the types of their connections only.
 *
 * @param finish awaits what is under way, before the end
 */
function open<T extends { close(force?: boolean): Promise<void> }>(
  place: QueuePlace,
  onRedis: (connection: RedisConnection) => T,
  onPostgres: (connection: PostgresConnection) => unknown,
  finish: (opened: T) => Promise<void> = async () => {}
): T {
  const { redisUrl, database } = place
  if (redisUrl === null) {
    return onPostgres({ connection: { ...database, schema: QUEUE_SCHEMA, max: 4 } }) as T
  }
  // BullMQ leaves a client that it was given to its owner.
  const redis = connect(redisUrl)
  const opened = onRedis(redis)
  const close = opened.close.bind(opened)
  return Object.assign(opened, {
    close: async () => {
      await finish(opened)
      // It would wait for a Redis that is away to come back, or for one that says nothing.
      const isAway = !(await answers(redis))
      if (isAway) redis.connection.disconnect()
      await close(isAway)
      redis.connection.disconnect()
    }
  })
}

/** Asked about a key that goes where all of the queue are. */
async function answers({ connection, prefix = 'bull' }: RedisConnection): Promise<boolean> {
  if (connection.status !== 'ready') return false
  const answer = connection.exists(prefix).then(
    () => true,
    // A refusal is an answer.
    (error: Error) => error.name === 'ReplyError'
  )
  return await Promise.race([answer, delay(ANSWER_MS, false, { ref: false })])
}

/** BullMQ insists on retrying for ever; in a cluster it needs all of its keys on one node. */
function connect(redisUrl: string): RedisConnection {
  const retryForEver = { maxRetriesPerRequest: null }
  const cluster = parseRedisCluster(redisUrl)
  if (cluster) return { connection: openRedisCluster(cluster, retryForEver), prefix: '{conclave}' }
  return { connection: new Redis(redisUrl, retryForEver) }
}
