import { Migration } from '@mikro-orm/migrations'

/** What is due stands in the indexes in the order in which it is worked off: many due at one time are not sorted first. */
export class Migration0007DueInOrder extends Migration {
  override up(): void {
    this.addSql('drop index conversations_rotation')
    this.addSql(`
      create index conversations_rotation on conversations (key_rotates_at, id)
       where key_used and key_rotates_at is not null and deleted_at is null`)
    this.addSql('drop index conversation_keys_destruction')
    this.addSql(`
      create index conversation_keys_destruction on conversation_keys (destroys_at, conversation_id, version)
       where state in ('DEACTIVATED', 'PENDING_DESTRUCTION') and destroys_at is not null`)
  }
}
