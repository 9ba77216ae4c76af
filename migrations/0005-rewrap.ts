import { Migration } from '@mikro-orm/migrations'

/** Moving private keys from one master key to another: what it reads, what it notes, and how fast it may go. */
export class Migration0005Rewrap extends Migration {
  override up(): void {
    this.addSql(`
      alter table key_operations
        add column target text,
        add column dry_run boolean not null default false,
        add column paused_at timestamptz,
        add column next_step_at timestamptz,
        add check (kind <> 'REWRAP' or target is not null)`)

    // Private keys by what wraps them, in the order in which they are moved; the census counts the same index.
    this.addSql('drop index conversation_keys_master_key')
    this.addSql(`
      create index conversation_keys_master_key
          on conversation_keys (master_key, (coalesce(master_key_version, '')), conversation_id, version)
       where master_key is not null`)
    this.#bulkEvents()

    // How long sends take at present and how long they take as a rule, a row for each process that has senders.
    // A crash may empty it.
    this.addSql(`
      create unlogged table send_paces (
        process uuid primary key,
        at timestamptz not null,
        now_us integer not null,
        usual_us integer not null
      )`)
  }

  /** The same event for many keys: a chain's head is locked and moved once, however many of them are in it. */
  #bulkEvents(): void {
    this.addSql(`
      create function append_key_events(
        event_at timestamptz, event_actor text, event_action text,
        event_conversations uuid[], event_versions integer[], event_detail text
      ) returns void language plpgsql as $$
      declare
        item record;
        head key_event_heads;
        next_sequence bigint;
      begin
        for item in
          select conversation, version, coalesce(get_byte(uuid_send(conversation), 15) % 16, 0) as shard
            from unnest(event_conversations, event_versions) as events (conversation, version)
           order by shard, conversation, version
        loop
          if head.shard is distinct from item.shard then
            update key_event_heads set count = head.count, hash = head.hash where shard = head.shard;
            select * into head from key_event_heads where shard = item.shard for update;
          end if;
          next_sequence := head.count * 16 + head.shard + 1;
          head.count := head.count + 1;
          head.hash := sha256(head.hash
            || key_event_field(next_sequence::text)
            || key_event_field(to_char(event_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
            || key_event_field(event_actor) || key_event_field(event_action)
            || key_event_field(item.conversation::text) || key_event_field(item.version::text)
            || key_event_field(event_detail));
          insert into key_events values (next_sequence, head.shard, event_at, event_actor, event_action,
                                         item.conversation, item.version, event_detail, head.hash);
        end loop;
        update key_event_heads set count = head.count, hash = head.hash where shard = head.shard;
      end $$`)
    this.addSql(`drop function append_key_event`)
  }
}
