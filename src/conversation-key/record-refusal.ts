import type { EntityManager } from '@mikro-orm/postgresql'
import type { Database } from '../database/database.js'
import { appendKeyEvent, type KeyEventDraft } from './key-events.js'

/** Refusals of one actor that are recorded one by one in {@link WINDOW_MS}; further ones are counted. */
export const RECORDED_MAX = 20
export const WINDOW_MS = 60_000

interface Window {
  beganAt: string
  recorded: number
  unrecorded: number
}

/**
 * Records that an operation was refused. Somebody who is refused again and again must not fill the audit trail:
 * from some number a minute on, the refusals of an actor are counted, and their number is recorded once that
 * minute is over.
 */
export async function recordRefusal(em: EntityManager, refusal: Omit<KeyEventDraft, 'action'>): Promise<void> {
  const { actor, at } = refusal
  await em.execute('insert into refusal_windows (actor, began_at) values (?, ?) on conflict (actor) do nothing', [
    actor,
    at
  ])
  const window = await lockWindow(em, actor)
  if (!window || isOver(window, at)) {
    if (window) await closeWindow(em, actor, window, at)
    return await recordRefusal(em, refusal)
  }
  const column = window.recorded < RECORDED_MAX ? 'recorded' : 'unrecorded'
  await em.execute(`update refusal_windows set ${column} = ${column} + 1 where actor = ?`, [actor])
  if (column === 'recorded') await appendKeyEvent(em, { ...refusal, action: 'operation.refused' })
}

/** Records what was counted of those who were never refused again. */
export async function closeRefusalWindows({ database, now }: { database: Database; now: Date }): Promise<void> {
  const over = await database
    .entities()
    .execute<{ actor: string }[]>('select actor from refusal_windows where began_at <= ?', [
      new Date(now.getTime() - WINDOW_MS)
    ])
  // A transaction each: none holds the head of a chain while it waits for the next actor.
  for (const { actor } of over) {
    await database.transaction(async (em) => {
      const window = await lockWindow(em, actor)
      if (window && isOver(window, now)) await closeWindow(em, actor, window, now)
    })
  }
}

async function lockWindow(em: EntityManager, actor: string): Promise<Window | null> {
  const [window] = await em.execute<Window[]>(
    'select began_at as "beganAt", recorded, unrecorded from refusal_windows where actor = ? for update',
    [actor]
  )
  return window ?? null
}

function isOver({ beganAt }: Window, now: Date): boolean {
  return new Date(beganAt).getTime() <= now.getTime() - WINDOW_MS
}

async function closeWindow(em: EntityManager, actor: string, window: Window, now: Date): Promise<void> {
  await em.execute('delete from refusal_windows where actor = ?', [actor])
  if (window.unrecorded === 0) return
  await appendKeyEvent(em, {
    at: now,
    actor,
    action: 'operation.refused',
    conversationId: null,
    keyVersion: null,
    detail: `unrecorded=${window.unrecorded} since=${new Date(window.beganAt).toISOString()}`
  })
}
