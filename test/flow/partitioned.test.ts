import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  DeleteConversationDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  InboxEventsDocument,
  KeysDocument,
  MarkKeyCompromisedDocument,
  RemoveMemberDocument,
  RotateKeyDocument,
  SendMessageDocument
} from '../../documents/generated.js'
import { migrate } from '../../src/database/migrate.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { brief, createConversation, eventCursor, followLive, readBack, send } from '../support/chat.js'
import { documentedSql } from '../support/documented-sql.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { runDueWork } from '../support/worker-run.js'

/** docs/scaling.md is tried: its statements divide a table with messages in it, below an application that is started again. */

const LONG = 300_000

let conclave: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient
let admin: GraphQLClient
/** A conversation from before, with a bit of everything in it, and what was to be read there. */
let old: string
let bodiesBefore: (string | null)[]
let definedBefore: string[]

beforeAll(async () => {
  conclave = await bootConclave()
  await conclave.workerServices.keySupply.refill(5)
  alice = await conclave.as('alice')
  bob = await conclave.as('bob')
  admin = await conclave.as('admin', { scopes: ['keys:admin'] })
  old = await conversationWithEverything()
  await conclave.database.query(manyMore())
  bodiesBefore = (await readBack(bob, old)).map(({ body }) => body)
  definedBefore = await definitions()
  for (const block of documentedSql('Partition messages')) await conclave.database.query(block)
  await conclave.restart()
}, LONG)
afterAll(() => conclave.close())

describe('messages in partitions', () => {
  it('are refused where they were before: of strangers, twice under one number, and of a data key that is not there', async () => {
    const stranger = await conclave.as('mallory')
    const { errors } = await stranger.execute(SendMessageDocument, {
      input: { conversationId: old, body: 'let me in' }
    })
    expect(errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
    const copy = (columns: string) =>
      conclave.database.query(`
        insert into messages (conversation_id, sequence, id, kind, sender_id, client_message_id, data_key_id, envelope,
                              created_change, change, created_at)
        select ${columns} from messages m where m.conversation_id = '${old}' and m.sequence = 1`)
    const as = (change: string, dataKey = 'data_key_id', sequence = '1000') =>
      `conversation_id, ${sequence}, gen_random_uuid(), kind, sender_id, null, ${dataKey}, envelope, 1, ${change}, created_at`
    await expect(copy(as('2000', 'data_key_id', 'sequence'))).rejects.toThrow('messages_p')
    await expect(copy(as('change'))).rejects.toThrow('change_idx')
    await expect(copy(as('2000', 'gen_random_uuid()'))).rejects.toThrow('messages_conversation_id_data_key_id_fkey')
  })

  it('have the columns, constraints, indexes, triggers and grants of the migrations, no fewer and no others', async () => {
    expect(definedBefore.length).toBeGreaterThan(30)
    expect(await definitions()).toEqual(definedBefore)
    await migrate(conclave.database.url)
    expect(await definitions()).toEqual(definedBefore)
  })

  it('that lay there before are read as they were', async () => {
    expect((await readBack(bob, old)).map(({ body }) => body)).toEqual(bodiesBefore)
    expect(bodiesBefore).toContain('from before, edited')
  })

  it('are sent, answered, edited, deleted and paged through', async () => {
    const id = await createConversation(alice, ['bob'])
    const sent = await Promise.all(Array.from({ length: 30 }, (_, n) => send(n % 2 ? alice : bob, id, `message ${n}`)))
    expect(sent.map(({ sequence }) => sequence).sort((a, b) => a - b)).toEqual(sent.map((_, n) => n + 1))
    const [first, second] = sent as [(typeof sent)[0], (typeof sent)[0]]
    const reply = { conversationId: id, body: 'to the first', replyToId: first.id, clientMessageId: 'once' }
    for (const _ of ['sent', 'sent again']) await alice.run(SendMessageDocument, { input: reply })
    await bob.run(EditMessageDocument, { messageId: first.id, body: 'edited' })
    await alice.run(DeleteMessageDocument, { messageId: second.id })
    const read = await readBack(bob, id, 7)
    expect(read).toHaveLength(31)
    expect(read.find((message) => message.id === first.id)?.body).toBe('edited')
    expect(read.find((message) => message.id === second.id)?.body).toBeNull()
    expect(read.at(-1)).toMatchObject({ body: 'to the first', replyTo: { id: first.id } })
  })

  it('reach subscribers of one conversation, and of all that a user is in', async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(bob, id)
    const inbox = bob.subscribe(InboxEventsDocument, {
      resume: [{ conversationId: old, after: await eventCursor(bob, old) }]
    })
    const sent = await send(alice, id, 'new')
    expect(brief(await events.next())).toBe('SENT new')
    await alice.run(EditMessageDocument, { messageId: sent.id, body: 'newer' })
    expect(brief(await events.next())).toBe('EDITED newer')
    await send(alice, old, 'also here')
    // What has happened in the other conversation since may come before it.
    const seen: (string | null)[] = []
    while (seen.at(-1) !== 'also here') seen.push((await inbox.next()).inboxEvents.message.body)
    events.stop()
    inbox.stop()
  })

  it('stay readable through a rotation, and lie under the new version after it', async () => {
    await admin.run(RotateKeyDocument, { conversationId: old })
    expect(await send(alice, old, 'under the next version')).toMatchObject({ body: 'under the next version' })
    const read = await readBack(bob, old)
    expect(new Set(read.map(({ keyVersion }) => keyVersion)).size).toBeGreaterThan(1)
    expect(read.every(({ status }) => status === 'READABLE' || status === 'DELETED')).toBe(true)
  })

  it('are encrypted anew when a version is compromised, and are counted with their new data keys', async () => {
    const id = await createConversation(alice, ['bob'])
    for (const body of ['one', 'two', 'three']) await send(alice, id, body)
    await admin.run(MarkKeyCompromisedDocument, { conversationId: id, version: 1 })
    await runDueWork(conclave)
    expect((await readBack(bob, id)).map(({ body }) => body)).toEqual(['one', 'two', 'three'])
    const { conversation } = await alice.run(KeysDocument, { id })
    expect(conversation?.keys.map(({ version, state }) => [version, state]).sort()).toEqual([
      [1, 'DESTROYED'],
      [2, 'ACTIVE']
    ])
    expect(
      await conclave.database.query(
        'select sum(message_count)::integer as count from data_keys where conversation_id = $1',
        [id]
      )
    ).toEqual([{ count: 3 }])
  })

  it('are not shown to a member who was removed, and purged with their conversation', async () => {
    const id = await createConversation(alice, ['bob'])
    const { id: sent } = await send(alice, id, 'the last that bob sees')
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    const { errors } = await bob.execute(EditMessageDocument, { messageId: sent, body: 'mine' })
    expect(errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
    await alice.run(DeleteConversationDocument, { conversationId: id })
    await runDueWork(conclave)
    for (const table of ['messages', 'data_keys', 'conversation_keys', 'members'])
      expect(await conclave.database.query(`select from ${table} where conversation_id = $1`, [id])).toEqual([])
  })

  it('are looked for in the partition of their conversation, and in no other', { timeout: LONG }, async () => {
    const id = await createConversation(alice, ['bob'])
    // First of all the partitions: the names of their indexes end in numbers as well.
    const [own] = await conclave.database.query<{ partition: string }>(`
      with partitions as materialized (
        select c.relname as partition from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'messages'::regclass)
      select partition from partitions
       where satisfies_hash_partition('messages'::regclass, 32, substring(partition from '[0-9]+$')::integer, '${id}'::uuid)`)
    await tellCounts()
    await conclave.database.query('select pg_stat_reset()')
    const events = await followLive(bob, id)
    // Often enough for each statement to have got its general plan.
    for (let round = 0; round < 12; round++) {
      const sent = await send(alice, id, `message ${round}`)
      await alice.run(SendMessageDocument, { input: { conversationId: id, body: 'reply', replyToId: sent.id } })
      await alice.run(EditMessageDocument, { messageId: sent.id, body: 'edited' })
      await bob.run(DeleteMessageDocument, { messageId: (await send(bob, id, 'to be deleted')).id })
      await readBack(bob, id, 20)
    }
    events.stop()
    await tellCounts()
    const read = await conclave.database.query(`
      select relname as partition from pg_stat_user_tables
       where relname like 'messages_p%' and seq_scan + coalesce(idx_scan, 0) > 0`)
    expect(read).toEqual([own])
  })
})

async function conversationWithEverything(): Promise<string> {
  const id = await createConversation(alice, ['bob'], { title: 'from before' })
  const first = await send(alice, id, 'from before')
  await alice.run(SendMessageDocument, { input: { conversationId: id, body: 'a reply', replyToId: first.id } })
  await alice.run(EditMessageDocument, { messageId: first.id, body: 'from before, edited' })
  await alice.run(DeleteMessageDocument, { messageId: (await send(alice, id, 'deleted')).id })
  await admin.run(RotateKeyDocument, { conversationId: id })
  await send(bob, id, 'under version 2')
  return id
}

/** Copies of a conversation, enough for plans to be those of a table that is worth dividing. Nothing opens them. */
function manyMore(): string {
  return `
    begin;
    create temporary table copies as select gen_random_uuid() as id from generate_series(1, 300);
    alter table conversation_keys disable trigger user;
    create temporary table copied as table conversations limit 0;
    insert into copied select * from conversations where id = '${old}';
    insert into conversations select (jsonb_populate_record(c, jsonb_build_object('id', n.id))).* from copied c, copies n;
    ${['members', 'conversation_keys', 'data_keys'].map((table) => copyOf(table)).join('\n')}
    insert into messages (conversation_id, sequence, id, kind, sender_id, data_key_id, envelope, created_change, change, created_at)
    select n.id, s, gen_random_uuid(), m.kind, m.sender_id, m.data_key_id, m.envelope, s, s, m.created_at
      from messages m, copies n, generate_series(1, 100) s where m.conversation_id = '${old}' and m.sequence = 1;
    alter table conversation_keys enable trigger user;
    commit;
    analyze`
}

function copyOf(table: string): string {
  return `
    insert into ${table} select (jsonb_populate_record(t, jsonb_build_object('conversation_id', n.id))).*
      from ${table} t, copies n where t.conversation_id = '${old}';`
}

/** What a connection has counted is told when it ends at the latest, and before it is seen to be gone. */
async function tellCounts(): Promise<void> {
  const connections = async () =>
    await conclave.database.query<{ pid: number }>(
      'select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()'
    )
  const before = (await connections()).map(({ pid }) => pid)
  await conclave.restart()
  await vi.waitFor(async () => {
    expect((await connections()).filter(({ pid }) => before.includes(pid))).toEqual([])
  })
  await conclave.database.query('select pg_stat_force_next_flush()')
}

/** All that is defined about the table, in words that do not tell whether it has partitions. */
async function definitions(): Promise<string[]> {
  const rows = await conclave.database.query<{ definition: string }>(`
    select format('%s %s %s %s', attnum, attname, format_type(atttypid, atttypmod), pg_get_expr(d.adbin, d.adrelid)) as definition
      from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where attrelid = 'messages'::regclass and attnum > 0 and not attisdropped
    union all
    select conname || ' ' || pg_get_constraintdef(oid) from pg_constraint where conrelid = 'messages'::regclass and conparentid = 0
    union all
    select replace(indexdef, ' ON ONLY ', ' ON ') from pg_indexes where tablename = 'messages' and schemaname = 'public'
    union all
    select pg_get_triggerdef(oid) from pg_trigger where tgrelid = 'messages'::regclass and not tgisinternal
    union all
    select concat_ws(' ', grantee, privilege_type, column_name) from information_schema.column_privileges
     where table_name = 'messages' and table_schema = 'public' and grantee like 'conclave%'
    union all
    select concat_ws(' ', grantee, privilege_type) from information_schema.table_privileges
     where table_name = 'messages' and table_schema = 'public' and grantee like 'conclave%'
    order by 1`)
  return rows.map(({ definition }) => definition)
}
