import type { EntityManager } from '@mikro-orm/postgresql'
import { v7 as uuidv7 } from 'uuid'
import { appendKeyEvent } from '../conversation-key/key-events.js'
import { type Database, isUniqueViolation, type Statement } from '../database/database.js'
import { Conflict } from '../errors.js'
import type { Services } from '../services.js'

export type KeyOperationKind =
  | 'ROTATE_DUE'
  | 'DESTROY_DUE'
  | 'REWRAP'
  | 'REENCRYPT'
  | 'REFILL_POOL'
  | 'PURGE'
  | 'EXPORT'
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
  /** Of a rewrap: URI of the master key to move to. */
  target: string | null
  /** Whether it only tries what it would do, and changes nothing. */
  dryRun: boolean
  /** Why it has failed; of one that goes on, what holds it up. */
  error: string | null
  createdAt: Date
  startedAt: Date | null
  /** Set while it is paused. */
  pausedAt: Date | null
  /** No step is taken before. */
  nextStepAt: Date | null
  finishedAt: Date | null
}

const COLUMNS = `
  id, kind, state, actor, conversation_id as "conversationId", key_version as "keyVersion", total, done, failed,
  position, target, dry_run as "dryRun", error, created_at as "createdAt", started_at as "startedAt",
  paused_at as "pausedAt", next_step_at as "nextStepAt", finished_at as "finishedAt"`

export const FIND_KEY_OPERATION: Statement = {
  name: 'find-key-operation',
  text: `select ${COLUMNS} from key_operations where id = $1`
}

export const LIST_KEY_OPERATIONS: Statement = {
  name: 'list-key-operations',
  text: `
    select ${COLUMNS} from key_operations
     where $1::uuid is null or (created_at, id) < (select created_at, id from key_operations where id = $1)
     order by created_at desc, id desc limit $2`
}

export const OPEN_KEY_OPERATIONS: Statement = {
  name: 'open-key-operations',
  text: `
    select id, kind from key_operations
     where state in ('QUEUED', 'RUNNING') and paused_at is null and (next_step_at is null or next_step_at <= $1)
     order by created_at limit 100`
}

export async function findKeyOperation({ database }: { database: Database }, id: string): Promise<KeyOperation | null> {
  const [row] = await database.run<KeyOperation>(FIND_KEY_OPERATION, [id])
  return row ?? null
}

/** The latest first; `after` is the id of the last one of the page before. */
export async function listKeyOperations(
  { database }: { database: Database },
  limit: number,
  after: string | null
): Promise<KeyOperation[]> {
  return await database.run(LIST_KEY_OPERATIONS, [after, limit])
}

export const OPEN_REWRAP: Statement = {
  name: 'open-rewrap',
  text: `select ${COLUMNS} from key_operations where kind = 'REWRAP' and state in ('QUEUED', 'RUNNING')`
}

/** The rewrap that is under way: there is one at most. */
export async function findOpenRewrap({ database }: { database: Database }): Promise<KeyOperation | null> {
  const [row] = await database.run<KeyOperation>(OPEN_REWRAP, [])
  return row ?? null
}

/** What is under way on a key version. */
export async function findOpenOperationOn(
  { database }: { database: Database },
  { conversationId, version }: { conversationId: string; version: number }
): Promise<KeyOperation | null> {
  const text = `
    select ${COLUMNS} from key_operations where conversation_id = $1 and key_version = $2 and finished_at is null`
  const [row] = await database.run<KeyOperation>({ text }, [conversationId, version])
  return row ?? null
}

/** Whoever waits for a step holds the place of a worker: one that is further off is for a later run. */
export const LONGEST_WAIT_MS = 10_000

/**
 * Operations that are not finished, the oldest first: a worker goes on with each that nobody else is working on. Those
 * whose next step is further off than anybody waits for it are left out: they would keep younger ones waiting.
 */
export async function findOpenOperations({
  database,
  clock
}: Pick<Services, 'database' | 'clock'>): Promise<Pick<KeyOperation, 'id' | 'kind'>[]> {
  return await database.run(OPEN_KEY_OPERATIONS, [new Date(clock.now().getTime() + LONGEST_WAIT_MS)])
}

export type OperationDraft = Pick<KeyOperation, 'kind' | 'actor' | 'conversationId' | 'keyVersion'> & {
  total: number
  now: Date
  target?: string
  dryRun?: boolean
}

/**
 * Queues an operation in the caller's transaction.
 *
 * @throws Conflict when the same work is under way
 */
export async function queueOperation(em: EntityManager, draft: OperationDraft): Promise<KeyOperation> {
  const { kind, actor, conversationId, keyVersion, total, now, target = null, dryRun = false } = draft
  const id = uuidv7()
  try {
    await em.execute(
      `insert into key_operations (id, kind, state, actor, conversation_id, key_version, total, target, dry_run, created_at)
       values (?, ?, 'QUEUED', ?, ?, ?, ?, ?, ?, ?)`,
      [id, kind, actor, conversationId, keyVersion, total, target, dryRun, now]
    )
  } catch (error) {
    if (isUniqueViolation(error))
      throw new Conflict('The same operation is under way already. Let it end, or cancel it: keyOperations lists it.')
    throw error
  }
  await appendKeyEvent(em, {
    at: now,
    actor,
    action: 'operation.started',
    conversationId,
    keyVersion,
    detail: [`kind=${kind} id=${id}`, target && `to=${target}`, dryRun && 'dryRun=true'].filter(Boolean).join(' ')
  })
  const none = { position: null, error: null, startedAt: null, pausedAt: null, nextStepAt: null, finishedAt: null }
  const work = { id, kind, actor, conversationId, keyVersion, target, dryRun }
  return { ...work, ...none, state: 'QUEUED', total, done: 0, failed: 0, createdAt: now }
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

/** @param operation locked */
export async function finishOperation(
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

/** @returns null where there is none, or with SKIP where somebody else has it */
export async function lockOperation(
  em: EntityManager,
  id: string,
  others: 'SKIP' | 'WAIT'
): Promise<KeyOperation | null> {
  const [row] = await em.execute<KeyOperation[]>(
    `select ${COLUMNS} from key_operations where id = ? for update ${others === 'SKIP' ? 'skip locked' : ''}`,
    [id]
  )
  if (!row) return null
  // Read past the hot statements, instants come as text.
  const instant = (value: Date | null) => value && new Date(value)
  const instants = ['startedAt', 'pausedAt', 'nextStepAt', 'finishedAt'] as const
  const read = Object.fromEntries(instants.map((name) => [name, instant(row[name])]))
  return { ...row, ...read, createdAt: new Date(row.createdAt) }
}
