import type { EntityManager } from '@mikro-orm/postgresql'
import type { Database } from '../database/database.js'
import { appendKeyEvent, type KeyEventDraft } from './key-events.js'

/** Refusals of an operation to one actor that are recorded one by one in {@link WINDOW_MS}; further ones are counted. */
export const RECORDED_MAX = 20
export const WINDOW_MS = 60_000

export interface Refusal extends Omit<KeyEventDraft, 'action' | 'detail'> {
  /** Name of the operation, and behind it what it was asked for, as `name=value`. */
  operation: string
  code: string
}

interface Window {
  actor: string
  operation: string
}

interface Counted {
  beganAt: string
  recorded: number
  unrecorded: number
}

/**
 * Records that an operation was refused. Somebody who is refused again and again must not fill the audit trail:
 * from some number a minute on, an actor's refusals of an operation are counted, and their number is recorded once
 * that minute is over.
 */
export async function recordRefusal(em: EntityManager, refusal: Refusal): Promise<void> {
  const { operation, code, ...event } = refusal
  const window = { actor: event.actor, operation: operation.split(' ')[0] ?? operation }
  await em.execute(
    'insert into refusal_windows (actor, operation, began_at) values (?, ?, ?) on conflict (actor, operation) do nothing',
    [window.actor, window.operation, event.at]
  )
  const counted = await lockWindow(em, window)
  if (!counted || isOver(counted, event.at)) {
    if (counted) await closeWindow(em, window, counted, event.at)
    return await recordRefusal(em, refusal)
  }
  const column = counted.recorded < RECORDED_MAX ? 'recorded' : 'unrecorded'
  await em.execute(`update refusal_windows set ${column} = ${column} + 1 where actor = ? and operation = ?`, [
    window.actor,
    window.operation
  ])
  if (column === 'unrecorded') return
  await appendKeyEvent(em, { ...event, action: 'operation.refused', detail: `operation=${operation} code=${code}` })
}

/** Records what was counted of those who were never refused again. */
export async function closeRefusalWindows({ database, now }: { database: Database; now: Date }): Promise<void> {
  const over = await database
    .entities()
    .execute<Window[]>('select actor, operation from refusal_windows where began_at <= ?', [
      new Date(now.getTime() - WINDOW_MS)
    ])
  // A transaction each: none holds the head of a chain while it waits for the next window.
  for (const window of over) {
    await database.transaction(async (em) => {
      const counted = await lockWindow(em, window)
      if (counted && isOver(counted, now)) await closeWindow(em, window, counted, now)
    })
  }
}

async function lockWindow(em: EntityManager, { actor, operation }: Window): Promise<Counted | null> {
  const [counted] = await em.execute<Counted[]>(
    `select began_at as "beganAt", recorded, unrecorded from refusal_windows
      where actor = ? and operation = ? for update`,
    [actor, operation]
  )
  return counted ?? null
}

function isOver({ beganAt }: Counted, now: Date): boolean {
  return new Date(beganAt).getTime() <= now.getTime() - WINDOW_MS
}

async function closeWindow(
  em: EntityManager,
  { actor, operation }: Window,
  { unrecorded, beganAt }: Counted,
  now: Date
): Promise<void> {
  await em.execute('delete from refusal_windows where actor = ? and operation = ?', [actor, operation])
  if (unrecorded === 0) return
  const detail = `operation=${operation} unrecorded=${unrecorded} since=${new Date(beganAt).toISOString()}`
  const nothing = { conversationId: null, keyVersion: null }
  await appendKeyEvent(em, { at: now, actor, action: 'operation.refused', ...nothing, detail })
}
