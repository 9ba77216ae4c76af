import { Migration } from '@mikro-orm/migrations'

/** What all of many key events have in common is encoded once for all of them: the hashes stay the same. */
export class Migration0008KeyEventsInBulk extends Migration {
  override up(): void {
    this.addSql(`
      create or replace function append_key_events(
        event_at timestamptz, event_actor text, event_action text,
        event_conversations uuid[], event_versions integer[], event_detail text
      ) returns void language plpgsql as $$
      declare
        item record;
        head key_event_heads;
        next_sequence bigint;
        what bytea := key_event_field(to_char(event_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
          || key_event_field(event_actor) || key_event_field(event_action);
        detail bytea := key_event_field(event_detail);
      begin
        for item in
          select conversation, version, coalesce(get_byte(uuid_send(conversation), 15) % 16, 0) as shard,
                 key_event_field(conversation::text) || key_event_field(version::text) || detail as subject
            from unnest(event_conversations, event_versions) as events (conversation, version)
           order by shard, conversation, version
        loop
          if head.shard is distinct from item.shard then
            update key_event_heads set count = head.count, hash = head.hash where shard = head.shard;
            select * into head from key_event_heads where shard = item.shard for update;
          end if;
          next_sequence := head.count * 16 + head.shard + 1;
          head.count := head.count + 1;
          head.hash := sha256(head.hash || key_event_field(next_sequence::text) || what || item.subject);
          insert into key_events values (next_sequence, head.shard, event_at, event_actor, event_action,
                                         item.conversation, item.version, event_detail, head.hash);
        end loop;
        update key_event_heads set count = head.count, hash = head.hash where shard = head.shard;
      end $$`)
  }
}
