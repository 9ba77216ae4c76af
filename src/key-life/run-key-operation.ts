import { setTimeout as sleep } from 'node:timers/promises'
import type { EntityManager } from '@mikro-orm/postgresql'
import type { Services } from '../services.js'
import {
  findKeyOperation,
  finishOperation,
  type KeyOperation,
  type KeyOperationKind,
  LONGEST_WAIT_MS,
  lockOperation
} from './key-operations.js'

/** What one step of an operation has done. */
export interface Step {
  done: number
  failed: number
  position: string | null
  /** Set by the last step. */
  outcome?: 'SUCCEEDED' | 'FAILED'
  error?: string
  /** The work cannot go on now, for the reason in `error`: a later run takes it up again. */
  postponed?: boolean
  /** What to wait before the next step, so that others have their turn. */
  pauseMs?: number
  /**
   * Lets go of what the step has held, in the transaction that notes it: any sooner somebody else takes the next step,
   * and this one is not noted. Answers false where somebody else has it by now: then it must not be.
   */
  release?: (em: EntityManager) => Promise<boolean>
}

/** How a kind of operation takes its steps, in one run of it. */
export type Steps =
  /**
   * In the transaction that also notes what was done: nothing is done twice. Null where the operation is for
   * another process.
   */
  | {
      take: (services: Services, em: EntityManager, operation: KeyOperation, stop: AbortSignal) => Promise<Step | null>
    }
  /** In transactions of its own, for work that may be done twice: noted afterwards. Null where somebody else is at it. */
  | { takeApart: (services: Services, operation: KeyOperation, stop: AbortSignal) => Promise<Step | null> }

/** Told after every step that was committed. */
export type ReportProgress = (operation: KeyOperation) => Promise<void>

/**
 * Runs an operation from where it stands to its end, or until `stop` aborts or it is paused. Any number of workers
 * may call it: the operation's row is locked during a step, and whoever finds it locked leaves it alone.
 */
export async function runKeyOperation(
  services: Services,
  id: string,
  kinds: Partial<Record<KeyOperationKind, () => Steps>>,
  stop: AbortSignal,
  report: ReportProgress = async () => {}
): Promise<void> {
  const { signals, clock } = services
  let steps: Steps | undefined
  while (!stop.aborted) {
    const found = await findKeyOperation(services, id)
    // Of a kind that a newer version has brought: that version's workers know it.
    steps ??= found ? kinds[found.kind]?.() : undefined
    if (!found || !steps || found.finishedAt || found.pausedAt) return
    const restMs = (found.nextStepAt?.getTime() ?? 0) - clock.now().getTime()
    if (restMs > LONGEST_WAIT_MS) return
    if (restMs > 0) {
      await sleep(restMs, null, { signal: stop }).catch(() => {})
      continue
    }
    const taken = await takeStep(services, found, steps, stop)
    if (taken === 'TOO_EARLY') continue
    if (!taken) return
    const { operation, postponed } = taken
    signals.publish(`operation:${id}`)
    // It may have destroyed a version: no process may go on with what it has of it.
    if (operation.finishedAt && operation.conversationId) signals.publish(`keys:${operation.conversationId}`)
    await report(operation)
    if (operation.finishedAt || postponed) return
  }
}

/** @returns null when the operation has finished, is paused, somebody else is working on it, or it is for another process */
async function takeStep(
  services: Services,
  { id, ...found }: KeyOperation,
  steps: Steps,
  stop: AbortSignal
): Promise<{ operation: KeyOperation; postponed: boolean } | 'TOO_EARLY' | null> {
  const { database, clock } = services
  const apart = 'takeApart' in steps ? await steps.takeApart(services, { id, ...found }, stop) : null
  if ('takeApart' in steps && !apart) return 'TOO_EARLY'
  const release = apart?.release
  return await database.transaction(async (em) => {
    const locked = await lockOperation(em, id, release ? 'WAIT' : 'SKIP')
    const isHeld = release ? await release(em) : null
    if (!locked || locked.finishedAt || locked.pausedAt) return null
    // Another worker has taken a step since this one has looked.
    if (isHeld === false || (isHeld === null && isEarly(locked, clock.now()))) return 'TOO_EARLY'
    const step = 'take' in steps ? await steps.take(services, em, locked, stop) : apart
    if (!step) return null
    return { operation: await noteStep(em, locked, step, clock.now()), postponed: step.postponed ?? false }
  })
}

function isEarly({ nextStepAt }: KeyOperation, now: Date): boolean {
  return nextStepAt !== null && nextStepAt > now
}

async function noteStep(em: EntityManager, before: KeyOperation, step: Step, now: Date): Promise<KeyOperation> {
  const after = {
    ...before,
    state: 'RUNNING' as const,
    done: before.done + step.done,
    failed: before.failed + step.failed,
    // More may turn up than was counted at first.
    total: Math.max(before.total, before.done + step.done + before.failed + step.failed),
    position: step.position,
    error: step.error ?? null,
    startedAt: before.startedAt ?? now,
    nextStepAt: step.pauseMs ? new Date(now.getTime() + step.pauseMs) : null
  }
  const { state, done, failed, total, position, error, startedAt, nextStepAt, id } = after
  await em.execute(
    `update key_operations
        set state = ?, done = ?, failed = ?, total = ?, position = ?, error = ?, started_at = ?, next_step_at = ?
      where id = ?`,
    [state, done, failed, total, position, error, startedAt, nextStepAt, id]
  )
  if (!step.outcome) return after
  return await finishOperation(em, after, { state: step.outcome, now, actor: before.actor, error: step.error ?? null })
}
