import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databaseLogin } from '../../src/database/database-login.js'
import type { DatabaseRole } from '../../src/database/database-roles.js'
import { migrateAll } from '../../src/database-access.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/** What each role may do, and what it may not, tried as a login that has the rights of the role and no others. */

/** BullMQ's own, without those that the API has a right on. */
const QUEUE_TABLES = [
  ...['dedup', 'dedup_next', 'job_dependency', 'job_log', 'metrics', 'rate_limit', 'scheduler'],
  ...['relay_inbox', 'relay_node', 'relay_retained', 'relay_subscription']
]
/** The first two count the jobs of each queue, by a hash of its name. */
const QUEUE_SEQUENCES = [
  ...['bullmq_jid_4964ae0117b69fd45f2e57bea3253006', 'bullmq_jid_ba3db9c9b126fb623fca9e3041086284'],
  ...['event_seq', 'job_seq', 'relay_inbox_id_seq', 'relay_mid_seq']
]
const ofQueue = (names: string[], rights: string) => Object.fromEntries(names.map((name) => [`bullmq.${name}`, rights]))

/**
 * By relation, of whatever schema that is not PostgreSQL's own: all columns, or those in parentheses. A new relation,
 * and a new right, has its place here.
 */
const BOTH = {
  ...ofQueue(QUEUE_SEQUENCES, 'USAGE'),
  'bullmq.migration': 'SELECT',
  // Of somebody else; made below.
  'other.secrets': '',
  // They count for the database: numbers that nobody but it gives.
  key_policy_defaults_id_seq: '',
  migrations_id_seq: '',
  conversation_keys:
    'INSERT, SELECT, UPDATE (compromised_at, deactivated_at, destroyed_at, destroys_at, kept_at, master_key, master_key_version, rotates_at, state, state_before_destruction, wrapped_private_key)',
  key_event_heads: 'SELECT',
  key_events: 'SELECT',
  key_policy_defaults: 'INSERT, SELECT',
  key_transitions: 'SELECT',
  migrations: 'SELECT',
  pooled_keys: 'DELETE, INSERT, SELECT, UPDATE (created_at)',
  refusal_windows: 'DELETE, INSERT, SELECT, UPDATE (recorded, unrecorded)'
}
const RIGHTS: Record<DatabaseRole, Record<string, string>> = {
  conclave_api: {
    ...BOTH,
    ...ofQueue(QUEUE_TABLES, ''),
    'bullmq.event': 'DELETE, INSERT, SELECT',
    'bullmq.job': 'INSERT, SELECT',
    'bullmq.meta': 'INSERT, SELECT, UPDATE',
    conversations:
      'INSERT, SELECT, UPDATE (active_key_version, data_key_expires_at, data_key_id, data_key_messages, data_key_uses, deleted_at, key_defaults_id, key_message_limit, key_messages, key_policy, key_rotates_at, key_used, last_activity_at, last_change, last_sequence, title, title_data_key_id, title_revision)',
    data_keys: 'INSERT, SELECT, UPDATE (message_count, wrapped_key)',
    export_parts: 'SELECT',
    export_signing_keys: 'SELECT (created_at, key_id, public_key)',
    exports: 'INSERT, SELECT',
    imported_conversations: 'INSERT, SELECT',
    imports: 'INSERT, SELECT, UPDATE (blank, finished_at, hash, lines, messages, unreadable)',
    key_operations: 'INSERT, SELECT, UPDATE (error, finished_at, paused_at, state)',
    members: 'DELETE, INSERT, SELECT, UPDATE (last_read_sequence, role)',
    messages: 'INSERT, SELECT, UPDATE (change, data_key_id, deleted_at, edited_at, envelope, revision)',
    send_paces: 'DELETE, INSERT, SELECT, UPDATE',
    users: 'INSERT, SELECT, UPDATE (name)'
  },
  conclave_worker: {
    ...BOTH,
    ...ofQueue([...QUEUE_TABLES, 'event', 'job', 'meta'], 'DELETE, INSERT, SELECT, UPDATE'),
    imported_conversations: '',
    imports: '',
    conversation_keys: `DELETE, ${BOTH.conversation_keys}`,
    conversations:
      'DELETE, SELECT, UPDATE (active_key_version, data_key_expires_at, data_key_id, data_key_messages, data_key_uses, key_defaults_id, key_message_limit, key_messages, key_rotates_at, key_used, title, title_data_key_id, title_revision)',
    data_keys: 'DELETE, INSERT, SELECT, UPDATE (earlier_versions, key_version, message_count, wrapped_key)',
    export_parts: 'DELETE, INSERT, SELECT',
    export_signing_keys: 'INSERT, SELECT',
    exports: 'DELETE, SELECT, UPDATE (attempt)',
    key_operations:
      'INSERT, SELECT, UPDATE (done, error, failed, finished_at, lease_holder, next_step_at, position, started_at, state, total)',
    members: 'DELETE, SELECT',
    messages: 'DELETE, SELECT, UPDATE (data_key_id, envelope)',
    send_paces: 'SELECT',
    users: 'SELECT'
  }
}

/** Also those that everybody may call, but for the queue's, which act for whoever calls them. */
const FUNCTIONS: Record<DatabaseRole, string[]> = {
  conclave_api: ['append_key_events', 'lock_key_event_heads'],
  conclave_worker: ['anchor_key_events', 'append_key_events', 'lock_key_event_heads']
}

const NOBODY_MAY = [
  `update key_events set actor = 'somebody else'`,
  'delete from key_events',
  'truncate key_events',
  `insert into key_events values (1, 0, now(), 'somebody else', 'key.destroyed', null, null, null, '')`,
  'select from key_events for update',
  'update key_event_heads set count = 0',
  'delete from key_event_heads',
  'alter table key_events disable trigger all',
  'drop trigger key_events_append_only on key_events',
  'set session_replication_role = replica',
  `create or replace function append_key_events(timestamptz, text, text, uuid[], integer[], text) returns void language sql as ''`,
  'alter function append_key_events owner to current_user',
  `select key_event_field('')`,
  `select append_key_events_unchecked(now(), 'alice', 'key.activated', array[null]::uuid[], array[1], null)`,
  `select append_key_events(now(), 'scheduler', 'audit.anchored', array[null]::uuid[], array[1], '5:999999:00')`,
  'update key_transitions set to_state = from_state',
  `insert into key_transitions values ('DESTROYED', 'ACTIVE')`,
  'update conversation_keys set version = 2',
  `update conversation_keys set public_key = ''`,
  'update conversations set id = gen_random_uuid()',
  'update messages set sender_id = null',
  'update messages set sequence = 1',
  'truncate messages',
  'delete from users',
  `update users set id = 'somebody else'`,
  'delete from key_operations',
  'delete from migrations',
  `insert into migrations (name) values ('0010')`,
  'drop table messages',
  'drop schema public cascade',
  'drop database template1',
  'alter table messages add column extra text',
  'alter table messages disable row level security',
  'create table mine (id integer)',
  'create temporary table mine (id integer)',
  'create index mine on messages (id)',
  'create view mine as select 1',
  'create schema mine',
  `create function mine() returns void language sql as ''`,
  'create role mine',
  'select from other.secrets',
  'insert into other.secrets values (1)',
  'select from pg_authid',
  `select pg_read_file('PG_VERSION')`,
  `copy messages to '/tmp/messages'`,
  `copy users from program 'echo'`,
  `select lo_export(0, 'mine')`,
  'update bullmq.migration set version = 0',
  'drop table bullmq.job',
  'create table bullmq.mine (id integer)',
  'set role conclave',
  'set session authorization conclave'
]

const REFUSED: Record<DatabaseRole, string[]> = {
  conclave_api: [
    ...NOBODY_MAY,
    'do $$ begin lock table messages in access exclusive mode; end $$',
    'delete from messages',
    'delete from conversations',
    'delete from conversation_keys',
    'delete from data_keys',
    'update data_keys set key_version = 1',
    'update key_operations set done = total',
    'select wrapped_private_key from export_signing_keys',
    `insert into export_signing_keys (key_id, public_key, created_at) values (gen_random_uuid(), '', now())`,
    'delete from bullmq.job',
    'update bullmq.job set data = null',
    'select from bullmq.scheduler',
    'set role conclave_worker',
    'select anchor_key_events(now())'
  ],
  conclave_worker: [
    ...NOBODY_MAY,
    `insert into messages (conversation_id, sequence, id, kind, data_key_id, created_change, change, created_at)
     values (gen_random_uuid(), 1, gen_random_uuid(), 'SYSTEM', gen_random_uuid(), 1, 1, now())`,
    'update messages set deleted_at = now()',
    'update conversations set last_sequence = 0',
    'insert into conversations (id) values (gen_random_uuid())',
    `insert into members (user_id) values ('somebody else')`,
    `update members set role = 'OWNER'`,
    `insert into users values ('somebody else', '', now())`,
    'delete from send_paces',
    'set role conclave_api'
  ]
}

/** SQLSTATE insufficient_privilege. */
const REFUSAL = '42501'

let database: TestDatabase
const logins = {} as Record<DatabaseRole, pg.Client>

beforeAll(async () => {
  database = await createTestDatabase()
  await migrateAll(database.url, { redisUrl: null })
  await database.query('create schema other; create table other.secrets (id integer)')
  for (const role of ['conclave_api', 'conclave_worker'] as const) {
    logins[role] = new pg.Client({ connectionString: database.urlOf(role) })
    await logins[role].connect()
  }
})
afterAll(async () => {
  for (const login of Object.values(logins)) await login.end()
  await database.drop()
})

describe.each(Object.entries(REFUSED) as [DatabaseRole, string[]][])('%s', (role, refused) => {
  it.each(refused)('may not %s', async (statement) => {
    await expect(codeOf(logins[role].query(statement))).resolves.toBe(REFUSAL)
  })

  it('has the rights on relations and columns that are listed here, and no others', async () => {
    const rights = await database.query<{ name: string; rights: string }>(RIGHTS_OF, [role])
    expect(Object.fromEntries(rights.map(({ name, rights }) => [name, rights]))).toEqual(RIGHTS[role])
  })

  it('may call the functions that are listed here, and no others', async () => {
    const functions = await database.query<{ name: string }>(FUNCTIONS_OF, [role])
    expect(functions.map(({ name }) => name)).toEqual(FUNCTIONS[role])
  })

  it('has no right on a table that is made later', async () => {
    await database.query('create table later (id integer)')
    for (const statement of ['select from later', 'insert into later values (1)', 'drop table later'])
      await expect(codeOf(logins[role].query(statement))).resolves.toBe(REFUSAL)
    await database.query('drop table later')
  })

  it('appends to the audit trail, as whoever it says, and is what it was afterwards', async () => {
    const append = `select append_key_events(now(), 'alice', 'key.activated', array[null]::uuid[], array[1], null)`
    await logins[role].query(append)
    const { rows } = await logins[role].query('select current_user as user, count(*)::integer from key_events')
    expect(rows).toEqual([{ user: `${role}_login`, count: expect.any(Number) }])
    expect(rows[0].count).toBeGreaterThan(0)
  })

  it('can not put tables of somebody else before those that the functions write to', async () => {
    await database.query(`
      create schema before;
      create table before.key_events as table key_events with no data;
      create table before.key_event_heads as table key_event_heads;
      grant usage on schema before to ${role}`)
    await logins[role].query('set search_path = before, public')
    for (const call of [
      `lock_key_event_heads(array[gen_random_uuid()])`,
      `append_key_events(now(), 'alice', 'key.activated', array[null]::uuid[], array[1], 'beside')`
    ])
      await logins[role].query(`select public.${call}`)
    await logins[role].query('reset search_path')
    expect(await database.query('select from before.key_events')).toEqual([])
    expect(await database.query(`select from public.key_events where detail = 'beside'`)).not.toEqual([])
    await database.query('drop schema before cascade')
  })

  it('is what an owner becomes who connects as it, and goes back to when told to reset', async () => {
    const client = new pg.Client(databaseLogin(database.url, role))
    await client.connect()
    const user = async () => (await client.query('select current_user as user')).rows[0].user
    expect(await user()).toBe(role)
    await expect(codeOf(client.query('delete from key_events'))).resolves.toBe(REFUSAL)
    await client.query('reset role')
    expect(await user()).toBe(role)
    await client.query('reset all')
    expect(await user()).toBe(role)
    await client.end()
  })
})

describe('functions', () => {
  it('are nobody else’s to call', async () => {
    const open = await database.query(`
      select oid::regprocedure::text as function from pg_proc
       where pronamespace = 'public'::regnamespace and has_function_privilege('public', oid, 'execute')`)
    expect(open).toEqual([])
  })

  it('that act for their owner look nowhere but in the schema, temporary tables last', async () => {
    const definers = await database.query(`
      select proname as name, proconfig as settings from pg_proc
       where prosecdef and pronamespace in (select oid from (${SCHEMAS}) s) order by proname`)
    const settings = ['search_path=pg_catalog, public, pg_temp']
    expect(definers).toEqual([
      { name: 'anchor_key_events', settings },
      { name: 'append_key_events', settings },
      { name: 'check_key_state_recorded', settings },
      { name: 'lock_key_event_heads', settings }
    ])
  })
})

/** Schemas that are not PostgreSQL's own. */
const SCHEMAS = `select oid, nspname as name from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'`

/**
 * Every relation but indexes and composite types, with the columns where a right is of some columns only; with the
 * schema where that is not the public one. PUBLIC counts as the role.
 */
const RIGHTS_OF = `
  with relations as (
    select c.oid, concat(nullif(s.name, 'public') || '.', c.relname) as name, c.relacl
      from pg_class c join (${SCHEMAS}) s on s.oid = c.relnamespace where c.relkind not in ('i', 'I', 'c', 't')
  ), rights as (
    select name, a.privilege_type as privilege, null as column
      from relations cross join aclexplode(relacl) a where a.grantee in (0, $1::regrole)
    union all
    select name, p.privilege_type, a.attname
      from relations r join pg_attribute a on a.attrelid = r.oid cross join aclexplode(a.attacl) p
     where p.grantee in (0, $1::regrole)
  ), merged as (
    select name, privilege || coalesce(' (' || string_agg("column", ', ' order by "column") || ')', '') as privilege
      from rights group by name, rights.privilege
  )
  select name, coalesce(string_agg(privilege, ', ' order by privilege), '') as rights
    from relations left join merged using (name) group by name`

const FUNCTIONS_OF = `
  select distinct p.proname as name
    from pg_proc p cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    join (${SCHEMAS}) s on s.oid = p.pronamespace and s.name <> 'bullmq'
   where a.grantee in (0, $1::regrole) order by 1`

/** @returns the SQLSTATE that a statement fails with, or that it did not */
async function codeOf(statement: Promise<unknown>): Promise<string> {
  return await statement.then(
    () => 'done',
    ({ code, message }: { code?: string; message: string }) => code ?? message
  )
}
