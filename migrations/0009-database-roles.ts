import { Migration } from '@mikro-orm/migrations'

/**
 * What the API and the worker may do: every right is named here, of a table or of its columns. Whoever migrates has made
 * the roles before, and owns everything. A later table has no rights until its migration grants them.
 */
export class Migration0009DatabaseRoles extends Migration {
  override up(): void {
    this.#schema()
    this.#functions()
    this.#both()
    this.#api()
    this.#worker()
  }

  #schema(): void {
    this.addSql(`
      do $$ begin
        execute format('revoke create on schema %I from public', current_schema());
        execute format('grant usage on schema %I to conclave_api, conclave_worker', current_schema());
      end $$`)
  }

  /** Events are appended by their owner, on behalf of whoever calls: nobody writes a hash, or moves a chain's head. */
  #functions(): void {
    this.addSql(`
      create function lock_key_event_heads(conversations uuid[]) returns void language plpgsql as $$
      begin
        perform from key_event_heads
          where shard in (select get_byte(uuid_send(id), 15) % 16 from unnest(conversations) as id) order by shard for update;
      end $$`)
    this.addSql(`
      do $$
      declare
        named text;
      begin
        foreach named in array array['append_key_events(timestamptz, text, text, uuid[], integer[], text)',
                                     'lock_key_event_heads(uuid[])'] loop
          -- Temporary tables last: nobody slips the function one of their own.
          execute format('alter function %s security definer set search_path = pg_catalog, %I, pg_temp', named, current_schema());
          execute format('revoke execute on function %s from public', named);
          execute format('grant execute on function %s to conclave_api, conclave_worker', named);
        end loop;
      end $$`)
    this.addSql(`
      revoke execute on function key_event_field(text), check_key_transition(), count_messages_of_data_keys(),
        refuse_change_of_key_event() from public`)
  }

  #both(): void {
    for (const table of ['key_events', 'key_event_heads', 'key_transitions', 'migrations']) {
      this.addSql(`grant select on ${table} to conclave_api, conclave_worker`)
    }
    this.addSql('grant select, insert on key_policy_defaults to conclave_api, conclave_worker')
    this.addSql(`
      grant select, insert, update (recorded, unrecorded), delete on refusal_windows to conclave_api, conclave_worker`)
    // Taking a pair locks its row, for which PostgreSQL wants the right to update something of it.
    this.addSql(`
      grant select, insert, update (created_at), delete on pooled_keys to conclave_api, conclave_worker`)
    this.addSql(`
      grant select, insert,
        update (state, wrapped_private_key, master_key, master_key_version, rotates_at, deactivated_at, compromised_at,
                destroys_at, state_before_destruction, destroyed_at, kept_at)
        on conversation_keys to conclave_api, conclave_worker`)
  }

  #api(): void {
    this.addSql('grant select, insert, update (name) on users to conclave_api')
    this.addSql(`
      grant select, insert,
        update (title, title_data_key_id, title_revision, last_sequence, last_change, active_key_version, data_key_id,
                data_key_uses, data_key_messages, data_key_expires_at, key_policy, key_defaults_id, key_rotates_at,
                key_message_limit, key_used, key_messages, last_activity_at, deleted_at)
        on conversations to conclave_api`)
    this.addSql('grant select, insert, update (role, last_read_sequence), delete on members to conclave_api')
    this.addSql('grant select, insert, update (wrapped_key, message_count) on data_keys to conclave_api')
    this.addSql(`
      grant select, insert, update (data_key_id, envelope, revision, change, edited_at, deleted_at)
        on messages to conclave_api`)
    this.addSql(`
      grant select, insert, update (state, error, paused_at, finished_at) on key_operations to conclave_api`)
    this.addSql('grant select, insert, update, delete on send_paces to conclave_api')
  }

  #worker(): void {
    this.addSql(`
      grant select, delete,
        update (title, title_data_key_id, title_revision, active_key_version, data_key_id, data_key_uses, data_key_messages,
                data_key_expires_at, key_defaults_id, key_rotates_at, key_message_limit, key_used, key_messages)
        on conversations to conclave_worker`)
    this.addSql('grant select, delete on members to conclave_worker')
    this.addSql('grant delete on conversation_keys to conclave_worker')
    this.addSql(`
      grant select, insert, update (key_version, wrapped_key, message_count, earlier_versions), delete
        on data_keys to conclave_worker`)
    this.addSql('grant select, update (data_key_id, envelope), delete on messages to conclave_worker')
    this.addSql(`
      grant select, insert,
        update (state, done, failed, total, position, error, started_at, finished_at, next_step_at)
        on key_operations to conclave_worker`)
    this.addSql('grant select on send_paces to conclave_worker')
  }
}
