import { Migration } from '@mikro-orm/migrations'

/**
 * What is rare in a chain is found without reading it: who acted, and what was done. What a trail mostly consists of stays
 * out, the coming of each key and what the schedule does: it is found soon in any chain. So do the moves of a rewrap, which
 * writes one for each key there is: they are looked for in the chains themselves.
 */
export class Migration0015KeyEventsLookedFor extends Migration {
  override up(): void {
    this.addSql(`
      create index key_events_action on key_events (shard, action, sequence)
       where action not in ('key.activated', 'key.rewrapped')`)
    this.addSql(`create index key_events_actor on key_events (shard, actor, sequence) where actor <> 'scheduler'`)
  }
}
