import type { EntityManager } from '@mikro-orm/postgresql'
import type { KeyAction } from '../conversation-key/key-actions.js'
import { appendKeyEvent } from '../conversation-key/key-events.js'
import { auditRefusal, requireScope } from '../conversation-key/key-rights.js'
import { isLockTimeout } from '../database/database.js'
import { Conflict, NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { finishOperation, type KeyOperation, lockOperation } from './key-operations.js'

const LOCK_WAIT_MS = 5_000

type ControlServices = Pick<Services, 'database' | 'clock' | 'signals'>

/** Cancels an operation between two of its steps; what it has done stays done. */
export async function cancelKeyOperation(services: ControlServices, viewer: Viewer, id: string): Promise<KeyOperation> {
  const now = services.clock.now()
  return await control(services, viewer, 'cancelKeyOperation', id, (em, operation) =>
    finishOperation(em, operation, { state: 'CANCELLED', now, actor: viewer.id, error: null })
  )
}

/** Has an operation take no further step until it is resumed. Pausing it again changes nothing. */
export async function pauseKeyOperation(services: ControlServices, viewer: Viewer, id: string): Promise<KeyOperation> {
  const now = services.clock.now()
  return await control(services, viewer, 'pauseKeyOperation', id, async (em, operation) => {
    if (operation.pausedAt) return operation
    return await setPaused(em, operation, now, { at: now, actor: viewer.id, action: 'operation.paused' })
  })
}

/** Has a paused operation go on from where it stands. */
export async function resumeKeyOperation(
  services: ControlServices & Pick<Services, 'jobs'>,
  viewer: Viewer,
  id: string
): Promise<KeyOperation> {
  const at = services.clock.now()
  const resumed = await control(services, viewer, 'resumeKeyOperation', id, async (em, operation) => {
    if (!operation.pausedAt) throw new Conflict('The operation is not paused.')
    return await setPaused(em, operation, null, { at, actor: viewer.id, action: 'operation.resumed' })
  })
  services.jobs.nudge(resumed)
  return resumed
}

async function control(
  services: ControlServices,
  viewer: Viewer,
  name: string,
  id: string,
  change: (em: EntityManager, operation: KeyOperation) => Promise<KeyOperation>
): Promise<KeyOperation> {
  const changed = await auditRefusal(services, viewer, { operation: `${name} id=${id}` }, async () => {
    requireScope(viewer, 'keys:admin')
    return await services.database.transaction(async (em) => {
      const operation = await lockSoon(em, id)
      if (!operation) throw new NotFound('operation')
      if (operation.finishedAt)
        throw new Conflict('The operation has finished; nothing can be changed about it any more.')
      // The conversation is gone already; only its rows are left, and nobody could ask for them to go again.
      if (operation.kind === 'PURGE') throw new Conflict('The purge of a deleted conversation goes on to its end.')
      return await change(em, operation)
    })
  })
  services.signals.publish(`operation:${id}`)
  return changed
}

/** A step may take minutes where a key service is slow: whoever asks is not kept waiting for it. */
async function lockSoon(em: EntityManager, id: string): Promise<KeyOperation | null> {
  await em.execute(`set local lock_timeout = '${LOCK_WAIT_MS}ms'`)
  try {
    return await lockOperation(em, id, 'WAIT')
  } catch (error) {
    if (isLockTimeout(error))
      throw new Conflict('The operation is in the middle of a long step. Try again in a moment.')
    throw error
  }
}

async function setPaused(
  em: EntityManager,
  operation: KeyOperation,
  pausedAt: Date | null,
  event: { at: Date; actor: string; action: KeyAction }
): Promise<KeyOperation> {
  const { id, kind, conversationId, keyVersion } = operation
  await em.execute('update key_operations set paused_at = ? where id = ?', [pausedAt, id])
  await appendKeyEvent(em, { ...event, conversationId, keyVersion, detail: `kind=${kind} id=${id}` })
  return { ...operation, pausedAt }
}
