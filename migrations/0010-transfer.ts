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
    this.addSql('grant select, insert on export_signing_keys to conclave_api, conclave_worker')

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
  }
}
