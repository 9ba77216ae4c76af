import type { EntityManager } from '@mikro-orm/postgresql'
import { v7 as uuidv7 } from 'uuid'
import { appendKeyEvent } from '../conversation-key/key-events.js'
import { auditRefusal, requireScope } from '../conversation-key/key-rights.js'
import { type Database, isUniqueViolation, type Statement } from '../database/database.js'
import { Conflict, NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'

export type KeyOperationKind = 'ROTATE_DUE' | 'DESTROY_DUE' | 'REWRAP' | 'REENCRYPT' | 'REFILL_POOL' | 'PURGE'
export type KeyOperationState = 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED'

/**
 * Work on keys that takes longer than a request. What is done and where to go on stands in its row and is
 * written in the transaction of each step: whoever finds the row unlocked goes on from there.
 */
export interface KeyOperation {
  id: string
  kind: KeyOperationKind
  state: KeyOperationState
  actor: string
  conversationId: string | null
  keyVersion: number | null
  total: number
  done: number
  failed: number
  /** Where the next step begins, in the words of the operation's kind. */
  position: string | null
  error: string | null
  createdAt: Date
  startedAt: Date | null
  finishedAt: Date | null
}

const COLUMNS = `
  id, kind, state, actor, conversation_id as "conversationId", key_version as "keyVersion", total, done, failed,
  position, error, created_at as "createdAt", started_at as "startedAt", finished_at as "finishedAt"`

const FIND: Statement = { name: 'find-key-operation', text: `select ${COLUMNS} from key_operations where id = $1` }

const LIST: Statement = {
  name: 'list-key-operations',
  text: `
    select ${COLUMNS} from key_operations
     where $1::uuid is null or (created_at, id) < (select created_at, id from key_operations where id = $1)
     order by created_at desc, id desc limit $2`
}

const OPEN: Statement = {
  name: 'open-key-operations',
  text: `select id, kind from key_operations where state in ('QUEUED', 'RUNNING') order by created_at limit 100`
}

export async function findKeyOperation({ database }: { database: Database }, id: string): Promise<KeyOperation | null> {
  const [row] = await database.run<KeyOperation>(FIND, [id])
  return row ?? null
}

/** The latest first; `after` is the id of the last one of the page before. */
export async function listKeyOperations(
  { database }: { database: Database },
  limit: number,
  after: string | null
): Promise<KeyOperation[]> {
  return await database.run(LIST, [after, limit])
}

/** Operations that are not finished, the oldest first: a worker goes on with each that nobody else is working on. */
export async function findOpenOperations({
  database
}: {
  database: Database
}): Promise<Pick<KeyOperation, 'id' | 'kind'>[]> {
  return await database.run(OPEN, [])
}

export type OperationDraft = Pick<KeyOperation, 'kind' | 'actor' | 'conversationId' | 'keyVersion'> & {
  total: number
  now: Date
}

/**
 * Queues an operation in the caller's transaction.
 *
 * @throws Conflict when the same work is under way
 */
export async function queueOperation(em: EntityManager, draft: OperationDraft): Promise<KeyOperation> {
  const { kind, actor, conversationId, keyVersion, total, now } = draft
  const id = uuidv7()
  try {
    await em.execute(
      `insert into key_operations (id, kind, state, actor, conversation_id, key_version, total, created_at)
       values (?, ?, 'QUEUED', ?, ?, ?, ?, ?)`,
      [id, kind, actor, conversationId, keyVersion, total, now]
    )
  } catch (error) {
    if (isUniqueViolation(error)) throw new Conflict('The same operation is under way already.')
    throw error
  }
  await appendKeyEvent(em, {
    at: now,
    actor,
    action: 'operation.started',
    conversationId,
    keyVersion,
    detail: `kind=${kind} id=${id}`
  })
  const rest = { done: 0, failed: 0, position: null, error: null, startedAt: null, finishedAt: null }
  return { id, kind, state: 'QUEUED', actor, conversationId, keyVersion, total, createdAt: now, ...rest }
}

/** Cancels an operation between two of its steps; what it has done stays done. */
export async function cancelKeyOperation(
  services: Pick<Services, 'database' | 'clock' | 'signals'>,
  viewer: Viewer,
  id: string
): Promise<KeyOperation> {
  const { database, clock, signals } = services
  const cancelled = await auditRefusal(services, viewer, { operation: `cancelKeyOperation id=${id}` }, async () => {
    requireScope(viewer, 'keys:admin')
    return await database.transaction(async (em) => {
      const operation = await lockOperation(em, id, 'WAIT')
      if (!operation) throw new NotFound('operation')
      if (operation.finishedAt) throw new Conflict('The operation has finished; it cannot be cancelled any more.')
      // The conversation is gone already; only its rows are left, and nobody could ask for them to go again.
      if (operation.kind === 'PURGE') throw new Conflict('The purge of a deleted conversation cannot be cancelled.')
      return await finishOperation(em, operation, {
        state: 'CANCELLED',
        now: clock.now(),
        actor: viewer.id,
        error: null
      })
    })
  })
  signals.publish(`operation:${id}`)
  return cancelled
}

/**
 * Locks what is under way for a conversation, or for one version of it. Operations are locked before their
 * conversation, as their own steps do it, and the chains of the audit trail after both.
 */
export async function lockOpenOperations(
  em: EntityManager,
  { conversationId, version }: { conversationId: string; version: number | null }
): Promise<KeyOperation[]> {
  const rows = await em.execute<{ id: string }[]>(
    `select id from key_operations
      where conversation_id = ? and (?::integer is null or key_version = ?) and finished_at is null order by id`,
    [conversationId, version, version]
  )
  const locked: KeyOperation[] = []
  for (const { id } of rows) {
    const operation = await lockOperation(em, id, 'WAIT')
    if (operation && !operation.finishedAt) locked.push(operation)
  }
  return locked
}

/** Ends operations because something stronger takes their place. @param operations locked, and their conversation too */
export async function supersedeOperations(
  em: EntityManager,
  operations: KeyOperation[],
  by: { now: Date; actor: string }
): Promise<void> {
  for (const operation of operations) {
    await finishOperation(em, operation, { ...by, state: 'CANCELLED', error: 'Another operation has taken its place.' })
  }
}

/** What one step of an operation has done. */
export interface Step {
  done: number
  failed: number
  position: string | null
  /** Set by the last step. */
  outcome?: 'SUCCEEDED' | 'FAILED'
  error?: string
}

/** How a kind of operation takes its steps. */
export type Steps =
  /** In the transaction that also notes what was done: nothing is done twice. */
  | { take: (services: Services, em: EntityManager, operation: KeyOperation) => Promise<Step> }
  /** In transactions of its own, for work that may be done twice: noted afterwards. */
  | { takeApart: (services: Services, operation: KeyOperation, stop: AbortSignal) => Promise<Step> }

/** Told after every step that was committed. */
export type ReportProgress = (operation: Pick<KeyOperation, 'done' | 'failed' | 'total'>) => Promise<void>

/**
 * Runs an operation from where it stands to its end, or until `stop` aborts. Any number of workers may call
 * it: the operation's row is locked during a step, and whoever finds it locked leaves it alone.
 */
export async function runKeyOperation(
  services: Services,
  id: string,
  kinds: Partial<Record<KeyOperationKind, Steps>>,
  stop: AbortSignal,
  report: ReportProgress = async () => {}
): Promise<void> {
  const { signals } = services
  while (!stop.aborted) {
    const found = await findKeyOperation(services, id)
    // Of a kind that a newer version has brought: that version's workers know it.
    const steps = found && kinds[found.kind]
    const operation = steps ? await takeStep(services, found, steps, stop) : null
    if (!operation) return
    signals.publish(`operation:${id}`)
    // It may have destroyed a version: no process may go on with what it has of it.
    if (operation.finishedAt && operation.conversationId) signals.publish(`keys:${operation.conversationId}`)
    await report(operation)
    if (operation.finishedAt) return
  }
}

/** @returns the operation as it is after the step; null when it has finished, or somebody else is working on it */
async function takeStep(
  services: Services,
  { id, ...found }: KeyOperation,
  steps: Steps,
  stop: AbortSignal
): Promise<KeyOperation | null> {
  const { database, clock } = services
  const apart = 'takeApart' in steps ? await steps.takeApart(services, { id, ...found }, stop) : null
  return await database.transaction(async (em) => {
    const locked = await lockOperation(em, id, 'SKIP')
    if (!locked || locked.finishedAt) return null
    const step = 'take' in steps ? await steps.take(services, em, locked) : apart
    return step && (await noteStep(em, locked, step, clock.now()))
  })
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
    startedAt: before.startedAt ?? now
  }
  await em.execute(
    `update key_operations set state = ?, done = ?, failed = ?, total = ?, position = ?, started_at = ? where id = ?`,
    [after.state, after.done, after.failed, after.total, after.position, after.startedAt, after.id]
  )
  if (!step.outcome) return after
  return await finishOperation(em, after, { state: step.outcome, now, actor: before.actor, error: step.error ?? null })
}

async function finishOperation(
  em: EntityManager,
  operation: KeyOperation,
  end: { state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED'; now: Date; actor: string; error: string | null }
): Promise<KeyOperation> {
  const { state, now, actor, error } = end
  const { id, kind, conversationId, keyVersion, done, failed } = operation
  await em.execute('update key_operations set state = ?, error = ?, finished_at = ? where id = ?', [
    state,
    error,
    now,
    id
  ])
  const action = state === 'CANCELLED' ? 'operation.cancelled' : 'operation.finished'
  const detail = `kind=${kind} id=${id} state=${state} done=${done} failed=${failed}`
  await appendKeyEvent(em, { at: now, actor, action, conversationId, keyVersion, detail })
  return { ...operation, state, error, finishedAt: now }
}

async function lockOperation(em: EntityManager, id: string, others: 'SKIP' | 'WAIT'): Promise<KeyOperation | null> {
  const [row] = await em.execute<KeyOperation[]>(
    `select ${COLUMNS} from key_operations where id = ? for update ${others === 'SKIP' ? 'skip locked' : ''}`,
    [id]
  )
  if (!row) return null
  // Read past the hot statements, instants come as text.
  const instant = (value: Date | null) => value && new Date(value)
  const { createdAt, startedAt, finishedAt } = row
  return { ...row, createdAt: new Date(createdAt), startedAt: instant(startedAt), finishedAt: instant(finishedAt) }
}
