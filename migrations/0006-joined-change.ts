import { Migration } from '@mikro-orm/migrations'

/** Where in the log of a conversation a member has joined: a stream that follows joins begins there. */
export class Migration0006JoinedChange extends Migration {
  override up(): void {
    this.addSql('alter table members add column joined_change bigint not null default 0')
  }
}
