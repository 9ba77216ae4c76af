import type { EntityManager } from '@mikro-orm/postgresql'
import type { Services } from '../services.js'
import type { KeyOperation } from './key-operations.js'
import type { Step } from './run-key-operation.js'

const BATCH = 1000

/** One step of removing the rows of a deleted conversation; its keys were destroyed when it was deleted. */
export async function purgeConversation(_: Services, em: EntityManager, operation: KeyOperation): Promise<Step> {
  const { conversationId } = operation
  // The last messages first: a reply refers to an earlier one.
  const deleted = await em.execute<{ sequence: number }[]>(
    `delete from messages where conversation_id = ? and sequence in (
       select sequence from messages where conversation_id = ? order by sequence desc limit ${BATCH})
     returning sequence`,
    [conversationId, conversationId]
  )
  const step = { done: deleted.length, failed: 0, position: null }
  if (deleted.length === BATCH) return step
  for (const table of ['members', 'data_keys', 'conversation_keys']) {
    await em.execute(`delete from ${table} where conversation_id = ?`, [conversationId])
  }
  await em.execute('delete from conversations where id = ?', [conversationId])
  return { ...step, outcome: 'SUCCEEDED' }
}
