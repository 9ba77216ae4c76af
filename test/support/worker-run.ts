import { applyKeyDefaults } from '../../jobs/apply-key-defaults.js'
import { destroyDue } from '../../jobs/destroy-due.js'
import { runOperation } from '../../jobs/key-operations.js'
import type { QueuePlace } from '../../jobs/queue.js'
import { QueueOutage } from '../../jobs/queue-outage.js'
import { rotateDue } from '../../jobs/rotate-due.js'
import { type RunningWorker, startWorker } from '../../jobs/worker.js'
import { databaseLogin } from '../../src/database/database-login.js'
import { findOpenOperations } from '../../src/key-life/key-operations.js'
import type { TestConclave } from './boot.js'

/** What a worker does between two ticks of the schedule, without waiting for them. */
export async function runDueWork({ workerServices: services }: TestConclave): Promise<void> {
  const { signal } = new AbortController()
  await applyKeyDefaults(services, signal)
  await rotateDue(services, signal)
  await destroyDue(services, signal)
  for (const { id } of await findOpenOperations(services)) await runOperation(services, id, signal)
}

/** Where its queue is. */
export function placeOf({ database, services }: TestConclave, redisUrl: string | null): QueuePlace {
  const login = databaseLogin(database.url, 'conclave_worker')
  return { database: login, redisUrl, outage: new QueueOutage(services.log) }
}

/** A worker that fetches its jobs. */
export async function startReadyWorker({ workerServices }: TestConclave, place: QueuePlace): Promise<RunningWorker> {
  const worker = startWorker(workerServices, place)
  await worker.ready
  return worker
}
