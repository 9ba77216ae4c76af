import { Migration } from '@mikro-orm/migrations'

/** How many messages an import has stored as deleted although nobody has deleted them: in its row, since it may take several runs. */
export class Migration0012ImportLosses extends Migration {
  override up(): void {
    this.addSql(`
      alter table imports
        add column unreadable integer not null default 0,
        add column blank integer not null default 0`)
    this.addSql('grant update (unreadable, blank) on imports to conclave_api')
  }
}
