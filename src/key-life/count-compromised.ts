import type { EntityManager } from '@mikro-orm/postgresql'
import type { KeyVersion } from './destroy-key.js'

/**
 * Condition on `data_keys` for those that a leaked private key opens: also the ones that were wrapped under it
 * before, which it still opens in an old backup. Those that were destroyed since open nothing. Takes the version twice.
 */
export const OPENED_BY_VERSION = 'wrapped_key is not null and (key_version = ? or ? = any(earlier_versions))'

/** Messages that a leaked private key opens. */
export async function countCompromised(em: EntityManager, { conversationId, version }: KeyVersion): Promise<number> {
  const [row] = await em.execute<{ count: number }[]>(
    `select coalesce(sum(message_count), 0)::integer as count from data_keys
      where conversation_id = ? and ${OPENED_BY_VERSION}`,
    [conversationId, version, version]
  )
  return row?.count ?? 0
}
