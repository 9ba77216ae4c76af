import { Migration } from '@mikro-orm/migrations'

/**
 * No key version changes its state, and none comes into being, without an event that says so: a transaction that leaves
 * the two apart is refused when it commits, whoever has made it. See docs/adr/0021.
 */
export class Migration0013RecordedStates extends Migration {
  override up(): void {
    this.addSql(`
      create function check_key_state_recorded() returns trigger language plpgsql as $$
      declare
        present text;
        recorded text;
      begin
        select state into present from conversation_keys
         where conversation_id = new.conversation_id and version = new.version;
        -- Gone again in the same transaction.
        if not found then
          return null;
        end if;
        select case action
                 when 'key.activated' then 'ACTIVE'
                 when 'key.deactivated' then 'DEACTIVATED'
                 when 'key.compromised' then 'COMPROMISED'
                 when 'key.destruction-scheduled' then 'PENDING_DESTRUCTION'
                 when 'key.destruction-cancelled' then substring(detail from 'state=([A-Z]+)')
                 when 'key.destroyed' then 'DESTROYED'
               end into recorded
          from key_events
         where conversation_id = new.conversation_id and key_version = new.version
           and action in ('key.activated', 'key.deactivated', 'key.compromised', 'key.destruction-scheduled',
                          'key.destruction-cancelled', 'key.destroyed')
         order by sequence desc limit 1;
        if recorded is distinct from present then
          raise exception 'key version % of % is %, and its last event says %', new.version, new.conversation_id, present,
            coalesce(recorded, 'nothing') using errcode = 'check_violation';
        end if;
        return null;
      end $$`)
    this.addSql(`
      do $$
      begin
        execute format('alter function check_key_state_recorded() security definer set search_path = pg_catalog, %I, pg_temp',
                       current_schema());
      end $$`)
    this.addSql('revoke execute on function check_key_state_recorded() from public')
    // Several steps of one transaction are looked at together, when all of their events are there.
    this.addSql(`
      create constraint trigger conversation_keys_recorded after insert or update of state on conversation_keys
        deferrable initially deferred for each row execute function check_key_state_recorded()`)
  }
}
