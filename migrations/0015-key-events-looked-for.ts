import { Migration } from '@mikro-orm/migrations'

/**
 * What is rare in a chain is found without reading it: who acted, and what was done. What a trail mostly consists of, each
 * key's coming and going, the moves of a rewrap and what the schedule does, stays out: it is found soon in any chain, and
 * writing it costs as little as before.
 */
export class Migration0015KeyEventsLookedFor extends Migration {
  override up(): void {
    this.addSql(`
      create index key_events_action on key_events (shard, action, sequence)
       where action not in ('key.activated', 'key.deactivated', 'key.rewrapped')`)
    this.addSql(`create index key_events_actor on key_events (shard, actor, sequence) where actor <> 'scheduler'`)
  }
}
