/**
 * Stands in for the functions of Citus on a PostgreSQL without it: moves nothing, and refuses what Citus refuses of a
 * table's definition. A unique constraint of a distributed table contains its distribution column; a foreign key goes
 * from a distributed table to a reference table, or contains the distribution columns of both in the same place; a
 * table with triggers is distributed only where they were allowed.
 */
export const CITUS_STAND_IN = `
  create table distributed_tables (relation regclass primary key, distribution_column name);

  create function create_reference_table(table_name regclass) returns void language sql as $$
    insert into distributed_tables values (table_name, null) $$;

  create function create_distributed_table(table_name regclass, column_name name, colocate_with text default 'default')
  returns void language plpgsql as $$
  declare problem text;
  begin
    if exists (select from pg_trigger t where t.tgrelid = table_name and not t.tgisinternal)
       and current_setting('citus.enable_unsafe_triggers', true) is distinct from 'on' then
      raise exception 'cannot distribute relation % because it has triggers', table_name;
    end if;
    insert into distributed_tables values (table_name, column_name);
    select v.problem into problem from violations v where table_name in (v.relation, v.other) limit 1;
    if problem is not null then raise exception '%', problem; end if;
  end $$;

  create function truncate_local_data_after_distributing_table(table_name regclass) returns void language sql as $$ select $$;

  create view violations as
    select i.indrelid::regclass as relation, null::regclass as other,
           format('unique index %s of %s leaves out %s', i.indexrelid::regclass, d.relation, d.distribution_column) as problem
      from pg_index i join distributed_tables d on d.relation = i.indrelid
     where i.indisunique and d.distribution_column is not null and not exists (
       select from pg_attribute a
        where a.attrelid = i.indrelid and a.attname = d.distribution_column and a.attnum = any(i.indkey))
    union all
    select f.conrelid::regclass, f.confrelid::regclass,
           format('foreign key %s of %s to %s can not be checked on one node', f.conname, f.conrelid::regclass, f.confrelid::regclass)
      from pg_constraint f
      left join distributed_tables d on d.relation = f.conrelid
      left join distributed_tables r on r.relation = f.confrelid
     where f.contype = 'f' and (d.relation is not null or r.relation is not null)
       and not coalesce(d.relation is not null and r.relation is not null and r.distribution_column is null, false)
       and not coalesce(
         (select array_position(f.conkey, a.attnum) from pg_attribute a
           where a.attrelid = f.conrelid and a.attname = d.distribution_column)
         = (select array_position(f.confkey, a.attnum) from pg_attribute a
             where a.attrelid = f.confrelid and a.attname = r.distribution_column), false);`
