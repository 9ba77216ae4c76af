import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres.js'
import { migrate } from '../../src/database/migrate.js'
import type { Viewer } from '../../src/identity/viewer.js'
import { sendMessage } from '../../src/message/send-message.js'
import { BODY } from '../operations.js'
import type { BenchDatabase, Stage } from '../stage.js'
import {
  bulkConversations,
  bulkMembers,
  bulkMessages,
  bulkOperations,
  bulkPool,
  inBulk,
  messageOfEach
} from './bulk-rows.js'
import { withServices } from './composed.js'
import { ownerOf, seedConversations } from './conversations.js'
import { KeptDatabases } from './kept-databases.js'

/** Sent to and read: the same ones on both sides. Their last 50 messages were really sent, and open. */
const TALKING = 200
const SENT_EACH = 50
/** In the deep one there are others beside them, each with as many messages. */
const DEEP_CONVERSATIONS = 10_000
const DEEP_MESSAGES_EACH = 1000
/** Key pairs in its pool, beside which reading one of them is not reading all. */
const POOLED = 10_000

/** Git ignores it. What it keeps is worth some minutes, and several gigabytes. */
const FOLDER = '.bench'
/** Of a server that is there during the benchmark only, for this machine. */
const PASSWORD = 'only-for-the-benchmark'
/** With another number, whatever was kept is seeded anew. */
const SEED = 2
const SHALLOW = `shallow_${SEED}`
const DEEP = `deep_${SEED}`

export interface DepthServer {
  /** 10,000 messages: a copy for this run. */
  shallow(): Promise<BenchDatabase>
  /** 10,000,000 messages: the one that is kept, and what earlier runs have sent. */
  deep(): Promise<BenchDatabase>
  stop(): Promise<void>
}

/** A PostgreSQL of its own, of which the databases are kept from one run to the next. */
export async function openDepthServer(stage: Stage): Promise<DepthServer> {
  mkdirSync(FOLDER, { recursive: true, mode: 0o711 })
  const postgres = await startEmbeddedPostgres(resolve(FOLDER), PASSWORD)
  const databases = new KeptDatabases(postgres.url)
  const stop = stage.afterwards(async () => {
    await databases.close()
    await postgres.stop()
  })
  await databases.dropAllBut([SHALLOW, DEEP])
  if (!(await databases.has(DEEP))) {
    console.error('       10,000,000 messages are stored, once, and kept in .bench: this takes some minutes')
    await databases.make(SHALLOW, 'template0', (database) => seedShallow(stage, database))
    await databases.make(DEEP, SHALLOW, seedDeep)
  }
  const open = async (name: string) => {
    const database = databases.open(name)
    // As it was kept, and as the program is now.
    await migrate(database.url)
    return database
  }
  return {
    shallow: async () => open(await databases.copy(SHALLOW, 'shallow_run')),
    deep: () => open(DEEP),
    stop
  }
}

/** The owners of the conversations that were really sent to, by conversation. */
export async function talkingIn(database: BenchDatabase): Promise<{ id: string; ownerId: string }[]> {
  return await database.query(
    `select conversation_id as id, user_id as "ownerId" from members where role = 'OWNER' and user_id like 'owner-%' order by 1`
  )
}

async function seedShallow(stage: Stage, database: BenchDatabase): Promise<void> {
  await migrate(database.url)
  const ids = await seedConversations(stage, database, TALKING)
  await withServices(stage.environment(database), 'api', async (services) => {
    for (const [index, conversationId] of ids.entries()) {
      const viewer: Viewer = { id: ownerOf(index), name: '', scopes: new Set(), expiresAt: null }
      const draft = { conversationId, body: BODY, replyToId: null }
      await Promise.all(
        Array.from({ length: SENT_EACH }, (_, n) =>
          sendMessage(services, viewer, { ...draft, clientMessageId: `${conversationId} ${n}` })
        )
      )
    }
  })
  // Kept for longer than a key is active.
  await database.query('update conversations set key_rotates_at = null')
  await database.query('vacuum (analyze)')
}

/**
 * Puts other conversations beside those of the shallow one, and earlier messages before theirs, all in the order in
 * which they would have come: what one conversation was sent last lies as scattered as it would.
 */
async function seedDeep(database: BenchDatabase): Promise<void> {
  const others = DEEP_CONVERSATIONS - TALKING
  const earlier = DEEP_MESSAGES_EACH - SENT_EACH
  const indexes = await database.query<{ drop: string; make: string }>(INDEXES)
  const run = (statements: string[]) => database.query(statements.join(';\n'))
  await run(indexes.map(({ drop }) => drop))
  await database.query('create table sent as select * from messages')
  await database.query(
    inBulk(
      'truncate messages',
      ...bulkConversations(others),
      ...bulkMembers(others),
      bulkOperations(others),
      bulkPool(POOLED),
      'update conversations set key_rotates_at = null',
      bulkMessages(1, earlier),
      ...lastMessages(earlier)
    )
  )
  await database.query('drop table sent')
  await run([
    "set maintenance_work_mem = '1GB'",
    ...indexes.map(({ make }) => make).reverse(),
    'reset maintenance_work_mem'
  ])
  await database.query('vacuum (analyze)')
  await database.query('checkpoint')
}

/** The last messages: those that were sent, behind the earlier ones, and as many of every other conversation. */
function lastMessages(earlier: number): string[] {
  return [
    `update sent set sequence = sequence + ${earlier}, change = change + ${earlier}, created_change = created_change + ${earlier}`,
    'create index on sent (sequence)',
    `do $$ begin
       for s in ${earlier + 1}..${DEEP_MESSAGES_EACH} loop
         insert into messages select * from sent where sequence = s;
         ${messageOfEach('s', "m.user_id like 'bulk-owner-%'")};
       end loop;
     end $$`,
    `update conversations set last_sequence = ${DEEP_MESSAGES_EACH}, last_change = ${DEEP_MESSAGES_EACH}`
  ]
}

/** How all that makes writing to `messages` slow is dropped, in an order that works, and made again in the other. */
const INDEXES = `
  select 'alter table messages drop constraint ' || conname as drop,
         'alter table messages add constraint ' || conname || ' ' || pg_get_constraintdef(oid)
           || case contype when 'f' then ' not valid' else '' end as make
    from (select * from pg_constraint where conrelid = 'messages'::regclass and contype in ('f', 'p', 'u') order by contype) c
   union all
  select 'drop index ' || indexname, indexdef from pg_indexes
   where tablename = 'messages' and indexname not in (
           select conname from pg_constraint where conrelid = 'messages'::regclass)`
