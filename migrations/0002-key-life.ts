import { Migration } from '@mikro-orm/migrations'

/** The life of a key: policies, compromise, destruction, counts that need no scan, audit, operations. */
export class Migration0002KeyLife extends Migration {
  override up(): void {
    this.#states()
    this.#policies()
    this.#counts()
    this.#countTrigger()
    this.#events()
    this.#operations()
  }

  #states(): void {
    this.addSql(`
      alter table conversation_keys
        drop constraint conversation_keys_state_check,
        add column compromised_at timestamptz,
        add column destroys_at timestamptz,
        add column state_before_destruction text
          check (state_before_destruction in ('DEACTIVATED', 'COMPROMISED')),
        add constraint conversation_keys_state_check
          check (state in ('ACTIVE', 'DEACTIVATED', 'COMPROMISED', 'PENDING_DESTRUCTION', 'DESTROYED')),
        add check (state <> 'COMPROMISED' or compromised_at is not null),
        add check (state <> 'PENDING_DESTRUCTION' or destroys_at is not null),
        add check ((state = 'PENDING_DESTRUCTION') = (state_before_destruction is not null))`)
    // What the worker looks for: the end of a recipient-usage period, and the end of a grace period.
    this.addSql(`
      create index conversation_keys_destruction on conversation_keys (destroys_at)
       where state in ('DEACTIVATED', 'PENDING_DESTRUCTION') and destroys_at is not null`)
    this.addSql(
      `create index conversation_keys_compromised on conversation_keys (conversation_id) where state = 'COMPROMISED'`
    )
    this.addSql(
      'create index conversation_keys_master_key on conversation_keys (master_key) where master_key is not null'
    )

    this.addSql(`
      create table key_transitions (from_state text not null, to_state text not null, primary key (from_state, to_state))`)
    this.addSql(`
      insert into key_transitions values
        ('ACTIVE', 'DEACTIVATED'), ('ACTIVE', 'COMPROMISED'), ('DEACTIVATED', 'COMPROMISED'),
        ('DEACTIVATED', 'PENDING_DESTRUCTION'), ('COMPROMISED', 'PENDING_DESTRUCTION'),
        ('PENDING_DESTRUCTION', 'DEACTIVATED'), ('PENDING_DESTRUCTION', 'COMPROMISED'),
        ('PENDING_DESTRUCTION', 'DESTROYED')`)
    this.addSql(`
      create function check_key_transition() returns trigger language plpgsql as $$
      begin
        if tg_op = 'INSERT' then
          if new.state <> 'ACTIVE' or new.version <> 1 + coalesce(
               (select max(version) from conversation_keys where conversation_id = new.conversation_id), 0) then
            raise exception 'a new key version is active and has the next number' using errcode = 'check_violation';
          end if;
        elsif new.version <> old.version or new.key_id <> old.key_id or new.public_key <> old.public_key then
          raise exception 'a key version keeps its number, id and public key' using errcode = 'check_violation';
        elsif new.state <> old.state and not exists (
                select from key_transitions where from_state = old.state and to_state = new.state) then
          raise exception 'a key does not go from % to %', old.state, new.state using errcode = 'check_violation';
        end if;
        return new;
      end $$`)
    this.addSql(`
      create trigger conversation_keys_transition before insert or update on conversation_keys
        for each row execute function check_key_transition()`)
  }

  #policies(): void {
    // key_policy holds what the conversation sets for itself. What follows from it and the deployment's
    // defaults stands beside it, as of the last activation or change, for the statement that stores a message.
    this.addSql(`
      alter table conversations
        add column key_policy jsonb not null default '{}',
        add column key_rotates_at timestamptz,
        add column key_message_limit integer,
        add column key_used boolean not null default false,
        add column key_messages integer not null default 0`)
    this.addSql(`
      update conversations c
         set key_rotates_at = k.rotates_at, key_messages = u.messages, key_used = u.messages > 0
        from conversation_keys k
       cross join lateral (
         select count(*)::integer as messages from data_keys d
           join messages x on x.conversation_id = d.conversation_id and x.data_key_id = d.id
          where d.conversation_id = k.conversation_id and d.key_version = k.version) u
       where k.conversation_id = c.id and k.version = c.active_key_version`)
    // Only keys that are used are ever due: an idle conversation is not in this index.
    this.addSql(`
      create index conversations_rotation on conversations (key_rotates_at)
       where key_used and key_rotates_at is not null and deleted_at is null`)
    this.addSql('create index conversations_deleted on conversations (deleted_at) where deleted_at is not null')
  }

  #counts(): void {
    // Messages under a data key; those under the one in use are counted in the conversation's row, which
    // every send updates anyway.
    this.addSql('alter table data_keys add column message_count integer not null default 0')
    this.addSql('alter table conversations add column data_key_messages integer not null default 0')
    this.addSql(`
      update data_keys d set message_count = u.messages
        from (select conversation_id, data_key_id, count(*)::integer as messages
                from messages where envelope is not null group by 1, 2) u
       where u.conversation_id = d.conversation_id and u.data_key_id = d.id`)
  }

  #countTrigger(): void {
    // Edits, deletions and re-encryptions take a message away from one data key and give it to another. A trigger
    // sees both rows as they are; a statement would see them as they were when it began.
    this.addSql(`
      create function count_messages_of_data_keys() returns trigger language plpgsql as $$
      begin
        if old.envelope is not null then
          update data_keys set message_count = message_count - 1
           where conversation_id = old.conversation_id and id = old.data_key_id;
        end if;
        if new.envelope is not null then
          update data_keys set message_count = message_count + 1
           where conversation_id = new.conversation_id and id = new.data_key_id;
        end if;
        return null;
      end $$`)
    this.addSql(`
      create trigger messages_counted after update on messages for each row
        when (old.data_key_id <> new.data_key_id or (old.envelope is null) <> (new.envelope is null))
        execute function count_messages_of_data_keys()`)
  }

  #events(): void {
    // One chain per shard, and a shard per conversation: key operations of different conversations seldom
    // wait for each other. The heads are kept apart, so that a chain cut short is found.
    this.addSql(`
      create table key_event_heads (
        shard integer primary key,
        count bigint not null default 0,
        hash bytea not null default decode(repeat('00', 32), 'hex')
      )`)
    this.addSql('insert into key_event_heads (shard) select generate_series(0, 15)')
    this.addSql(`
      create table key_events (
        sequence bigint primary key,
        shard integer not null references key_event_heads (shard),
        at timestamptz not null,
        actor text not null,
        action text not null,
        conversation_id uuid,
        key_version integer,
        detail text,
        hash bytea not null
      )`)
    this.addSql('create index key_events_conversation on key_events (conversation_id, sequence)')
    this.addSql('create index key_events_shard on key_events (shard, sequence)')
    this.addSql(`
      create function key_event_field(value text) returns bytea language sql immutable as $$
        select case when value is null then '\\xffffffff'::bytea
               else int4send(octet_length(convert_to(value, 'UTF8'))) || convert_to(value, 'UTF8') end $$`)
    this.addSql(`
      create function append_key_event(
        event_at timestamptz, event_actor text, event_action text,
        event_conversation uuid, event_version integer, event_detail text
      ) returns bigint language plpgsql as $$
      declare
        shard_of integer := coalesce(get_byte(uuid_send(event_conversation), 15) % 16, 0);
        head key_event_heads;
        next_sequence bigint;
        next_hash bytea;
      begin
        select * into head from key_event_heads where shard = shard_of for update;
        next_sequence := head.count * 16 + shard_of + 1;
        next_hash := sha256(head.hash
          || key_event_field(next_sequence::text)
          || key_event_field(to_char(event_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
          || key_event_field(event_actor) || key_event_field(event_action)
          || key_event_field(event_conversation::text) || key_event_field(event_version::text)
          || key_event_field(event_detail));
        insert into key_events values (next_sequence, shard_of, event_at, event_actor, event_action,
                                       event_conversation, event_version, event_detail, next_hash);
        update key_event_heads set count = head.count + 1, hash = next_hash where shard = shard_of;
        return next_sequence;
      end $$`)
    this.addSql(`
      create function refuse_change_of_key_event() returns trigger language plpgsql as $$
      begin
        raise exception 'key events are append-only' using errcode = 'insufficient_privilege';
      end $$`)
    this.addSql(`
      create trigger key_events_append_only before update or delete on key_events
        for each row execute function refuse_change_of_key_event()`)
    this.addSql(`
      create trigger key_events_no_truncate before truncate on key_events
        for each statement execute function refuse_change_of_key_event()`)
  }

  #operations(): void {
    this.addSql(`
      create table key_operations (
        id uuid primary key,
        kind text not null check (kind in ('ROTATE_DUE', 'DESTROY_DUE', 'REWRAP', 'REENCRYPT', 'REFILL_POOL', 'PURGE')),
        state text not null check (state in ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
        actor text not null,
        conversation_id uuid,
        key_version integer,
        total integer not null default 0,
        done integer not null default 0,
        failed integer not null default 0,
        position text,
        error text,
        created_at timestamptz not null,
        started_at timestamptz,
        finished_at timestamptz,
        check ((finished_at is not null) = (state in ('SUCCEEDED', 'FAILED', 'CANCELLED')))
      )`)
    this.addSql(`create index key_operations_open on key_operations (created_at) where state in ('QUEUED', 'RUNNING')`)
    this.addSql('create index key_operations_latest on key_operations (created_at desc, id desc)')
    // The same work is not begun twice.
    this.addSql(`
      create unique index key_operations_one_per_version on key_operations (conversation_id, key_version, kind)
       where state in ('QUEUED', 'RUNNING')`)
  }
}
