import { Migration } from '@mikro-orm/migrations'

/** A key service rotates its keys in place: which of its versions a private key lies under is kept beside it. */
export class Migration0004MasterKeyVersion extends Migration {
  override up(): void {
    for (const table of ['conversation_keys', 'pooled_keys']) {
      this.addSql(`alter table ${table} add column master_key_version text`)
      this.addSql(`alter table ${table} add check (master_key_version is null or master_key is not null)`)
    }
  }
}
