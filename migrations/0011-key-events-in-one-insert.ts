import { Migration } from '@mikro-orm/migrations'

/**
 * Events of many keys are inserted in one statement when their hashes are known, and no longer looked up in the table
 * of heads one by one: the function reads and locks the head that it writes for. The hashes stay the same.
 *
 * Anchors are made by the database out of the heads that it has: one that somebody made up would have every later
 * verification fail.
 */
export class Migration0011KeyEventsInOneInsert extends Migration {
  override up(): void {
    this.addSql('alter table key_events drop constraint key_events_shard_fkey')
    this.addSql(`
      create function append_key_events_unchecked(
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
        sequences bigint[];
        conversations uuid[];
        versions integer[];
        hashes bytea[];
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
          sequences := sequences || next_sequence;
          conversations := conversations || item.conversation;
          versions := versions || item.version;
          hashes := hashes || head.hash;
        end loop;
        update key_event_heads set count = head.count, hash = head.hash where shard = head.shard;
        insert into key_events
          select sequence, (sequence - 1) % 16, event_at, event_actor, event_action, conversation, version, event_detail, hash
            from unnest(sequences, conversations, versions, hashes) as events (sequence, conversation, version, hash);
      end $$`)
    this.#entrances()
  }

  /** What API and worker may call, as the owner of the table: the one below both is nobody else's. */
  #entrances(): void {
    this.addSql(`
      create or replace function append_key_events(
        event_at timestamptz, event_actor text, event_action text,
        event_conversations uuid[], event_versions integer[], event_detail text
      ) returns void language plpgsql as $$
      begin
        if event_action = 'audit.anchored' then
          raise exception 'anchors are made by anchor_key_events' using errcode = 'insufficient_privilege';
        end if;
        perform append_key_events_unchecked(event_at, event_actor, event_action, event_conversations, event_versions, event_detail);
      end $$`)
    this.addSql(`
      create function anchor_key_events(event_at timestamptz) returns text language plpgsql as $$
      declare
        heads text;
      begin
        select string_agg(shard || ':' || count || ':' || encode(hash, 'hex'), ' ' order by shard) into heads
          from key_event_heads where count > 0;
        if heads is not null then
          perform append_key_events_unchecked(event_at, 'scheduler', 'audit.anchored', array[null]::uuid[], array[null]::integer[], heads);
        end if;
        return heads;
      end $$`)
    this.addSql(`
      do $$
      declare
        named text;
      begin
        -- What replaces a function drops its settings.
        foreach named in array array['append_key_events(timestamptz, text, text, uuid[], integer[], text)',
                                     'anchor_key_events(timestamptz)'] loop
          execute format('alter function %s security definer set search_path = pg_catalog, %I, pg_temp', named, current_schema());
        end loop;
      end $$`)
    this.addSql('revoke execute on function anchor_key_events(timestamptz) from public')
    this.addSql(`
      revoke execute on function append_key_events_unchecked(timestamptz, text, text, uuid[], integer[], text) from public`)
    this.addSql('grant execute on function anchor_key_events(timestamptz) to conclave_worker')
  }
}
