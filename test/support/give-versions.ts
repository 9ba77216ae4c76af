import { inBulk } from '../../bench/seeding/bulk-rows.js'
import type { TestDatabase } from './test-database.js'

/** Gives a conversation whose one key version is active so many of them; those after it are destroyed. */
export async function giveVersions(database: TestDatabase, conversationId: string, versions: number): Promise<void> {
  await database.query(
    inBulk(`
      insert into conversation_keys
      select copy.* from conversation_keys k, generate_series(2, ${versions}) nth
       cross join lateral jsonb_populate_record(k, jsonb_build_object(
         'version', nth, 'key_id', gen_random_uuid(), 'state', 'DESTROYED', 'deactivated_at', now(),
         'destroyed_at', now(), 'wrapped_private_key', null, 'master_key', null)) copy
       where k.conversation_id = '${conversationId}'`)
  )
}
