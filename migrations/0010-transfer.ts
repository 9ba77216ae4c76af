import { Migration } from '@mikro-orm/migrations'

/** What export and import keep: keys that sign exports, how far an import has come, and exports that wait to be fetched. */
export class Migration0010Transfer extends Migration {
  override up(): void {
    // Public halves stay for good: what was signed with them may be looked at years later.
    this.addSql(`
      create table export_signing_keys (
        key_id uuid primary key,
        public_key bytea not null,
        wrapped_private_key bytea not null,
        master_key text not null,
        created_at timestamptz not null
      )`)
    // Workers sign. What takes requests names the keys, and can neither open one nor put in one that it knows.
    this.addSql('grant select, insert on export_signing_keys to conclave_worker')
    this.addSql('grant select (key_id, public_key, created_at) on export_signing_keys to conclave_api')

    this.addSql(`
      create table imports (
        id uuid primary key,
        source text not null unique check (source <> ''),
        actor text not null,
        lines integer not null default 0 check (lines >= 0),
        messages integer not null default 0,
        hash bytea not null,
        created_at timestamptz not null,
        finished_at timestamptz
      )`)
    // No reference to the conversation: it may be deleted, and stays one that was imported.
    this.addSql(`
      create table imported_conversations (
        conversation_id uuid primary key,
        import_id uuid not null references imports (id)
      )`)
    this.addSql('create index imported_conversations_import on imported_conversations (import_id)')
    this.addSql('grant select, insert, update (lines, messages, hash, finished_at) on imports to conclave_api')
    this.addSql('grant select, insert on imported_conversations to conclave_api')

    // Names are part of what is exported.
    this.addSql('grant select on users to conclave_worker')
    this.#ordered()
  }

  /** Exports that owners have asked for. They lie here as the recipient gets them: nobody else can open them. */
  #ordered(): void {
    this.addSql(`
      alter table key_operations
        drop constraint key_operations_kind_check,
        add constraint key_operations_kind_check
          check (kind in ('ROTATE_DUE', 'DESTROY_DUE', 'REWRAP', 'REENCRYPT', 'REFILL_POOL', 'PURGE', 'EXPORT'))`)
    // Whose attempt may write, of an operation that is done in one go.
    this.addSql('alter table key_operations add column lease_holder uuid')
    this.addSql('grant update (lease_holder) on key_operations to conclave_worker')
    // Of several attempts, when a worker was lost, one is the file.
    this.addSql(`
      create table exports (
        operation_id uuid primary key references key_operations (id),
        conversation_id uuid not null,
        requested_by text not null,
        recipient_key text not null,
        visible_after integer not null,
        attempt uuid,
        expires_at timestamptz not null
      )`)
    this.addSql('create index exports_expiry on exports (expires_at)')
    this.addSql(`
      create table export_parts (
        operation_id uuid not null references exports (operation_id) on delete cascade,
        attempt uuid not null,
        place integer not null,
        line text not null,
        primary key (operation_id, attempt, place)
      )`)
    // It is encrypted: there is nothing to compress.
    this.addSql('alter table export_parts alter column line set storage external')
    this.addSql('grant select, insert on exports to conclave_api')
    this.addSql('grant select on export_parts to conclave_api')
    this.addSql('grant select, update (attempt), delete on exports to conclave_worker')
    this.addSql('grant select, insert, delete on export_parts to conclave_worker')
  }
}
