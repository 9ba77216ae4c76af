import { Migration } from '@mikro-orm/migrations'

/** What reviews of the key life cycle asked for: earlier wrappings, defaults that change, bounded refusals, indexes. */
export class Migration0003KeyLifeKept extends Migration {
  override up(): void {
    // A data key that was wrapped anew can still be opened by whoever has the old private key and an old backup.
    this.addSql(`alter table data_keys add column earlier_versions integer[] not null default '{}'`)
    // Those before were not noted: any version that was active since the data key was made may have wrapped it.
    this.addSql(`
      update data_keys d set earlier_versions = array(
        select k.version from conversation_keys k
         where k.conversation_id = d.conversation_id and k.version < d.key_version and k.deactivated_at >= d.created_at)`)

    // Every set of defaults that the deployment has had; a conversation names the one that was applied to it last.
    this.addSql(`
      create table key_policy_defaults (
        id integer generated always as identity primary key,
        policy jsonb not null,
        since timestamptz not null
      )`)
    this.addSql('alter table conversations add column key_defaults_id integer not null default 0')
    // A version whose destruction was cancelled stays until somebody decides again: changed defaults do not end it.
    this.addSql('alter table conversation_keys add column kept_at timestamptz')
    this.addSql(`
      update conversation_keys k set kept_at = e.at
        from (select conversation_id, key_version, max(at) as at from key_events
               where action = 'key.destruction-cancelled' group by 1, 2) e
       where e.conversation_id = k.conversation_id and e.key_version = k.version
         and k.state in ('DEACTIVATED', 'COMPROMISED') and k.destroys_at is null`)
    this.addSql(
      'create index conversations_key_defaults on conversations (key_defaults_id, id) where deleted_at is null'
    )

    this.addSql(`
      create table refusal_windows (
        actor text not null,
        operation text not null,
        began_at timestamptz not null,
        recorded integer not null default 0,
        unrecorded integer not null default 0,
        primary key (actor, operation)
      )`)

    // The same work is not begun twice, also where it is that of no one conversation.
    this.addSql('drop index key_operations_one_per_version')
    this.addSql(`
      create unique index key_operations_one_per_work on key_operations
        (kind, (coalesce(conversation_id, '00000000-0000-0000-0000-000000000000')), (coalesce(key_version, 0)))
       where state in ('QUEUED', 'RUNNING')`)

    // A filtered inventory is a range of an index, whatever the filter.
    this.addSql('create index conversation_keys_state on conversation_keys (state, conversation_id, version)')
    this.addSql('drop index conversation_keys_master_key')
    this.addSql(`
      create index conversation_keys_master_key on conversation_keys (master_key, conversation_id, version)
       where master_key is not null`)
    this.addSql('drop index conversation_keys_compromised')
  }
}
