import { destroyDue } from '../../jobs/destroy-due.js'
import { resumeOperations } from '../../jobs/key-operations.js'
import { rotateDue } from '../../jobs/rotate-due.js'
import type { TestConclave } from './boot.js'

/** What a worker does between two ticks of the schedule, without waiting for them. */
export async function runDueWork({ services }: TestConclave): Promise<void> {
  const { signal } = new AbortController()
  await rotateDue(services, signal)
  await destroyDue(services, signal)
  await resumeOperations(services, signal)
}
