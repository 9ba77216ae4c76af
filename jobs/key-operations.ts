import { findOpenOperations, type KeyOperationKind } from '../src/key-life/key-operations.js'
import { purgeConversation } from '../src/key-life/purge-conversation.js'
import { reencrypt } from '../src/key-life/reencrypt.js'
import { rewrapSteps } from '../src/key-life/rewrap-private-keys.js'
import { type ReportProgress, runKeyOperation, type Steps } from '../src/key-life/run-key-operation.js'
import type { Services } from '../src/services.js'
import { writeOrderedExport } from '../src/transfer/write-ordered-export.js'
import { rotateDueBatch } from './rotate-due.js'
import { unlessStopped } from './unless-stopped.js'

/** The steps of each kind of operation. */
const STEPS: Partial<Record<KeyOperationKind, () => Steps>> = {
  REENCRYPT: () => ({ take: reencrypt }),
  PURGE: () => ({ take: purgeConversation }),
  REWRAP: rewrapSteps,
  EXPORT: () => ({ takeApart: writeOrderedExport }),
  ROTATE_DUE: () => ({
    takeApart: async (services, operation, stop) => {
      const [rotatesAt, id] = operation.position?.split(' ') ?? []
      const after = rotatesAt && id ? { rotatesAt: new Date(rotatesAt), id } : null
      const { rotated, failed, last, isLast, isHeldUp } = await rotateDueBatch(services, after, stop)
      const position = last && `${last.rotatesAt.toISOString()} ${last.id}`
      const step = { done: rotated, failed, position }
      if (isHeldUp) return { ...step, postponed: true, error: 'No key can be had at present; it goes on later.' }
      if (!isLast) return step
      if (operation.failed + failed === 0) return { ...step, outcome: 'SUCCEEDED' }
      return { ...step, outcome: 'FAILED', error: 'Some keys could not be rotated: the log says why. They stay due.' }
    }
  })
}

export async function runOperation(
  services: Services,
  id: string,
  stop: AbortSignal,
  report?: ReportProgress
): Promise<void> {
  await runKeyOperation(services, id, STEPS, stop, report)
}

/** Announces every operation that is not finished: one whose worker was lost is gone on with by another. */
export async function resumeOperations(services: Services, stop: AbortSignal): Promise<void> {
  const backlog = await unlessStopped(services.jobs.backlog(), stop)
  // Workers that have not come to the last nudges need no more of them.
  if (backlog !== 0) return
  for (const operation of await findOpenOperations(services)) services.jobs.nudge(operation)
}
