import { runMigrations } from 'bullmq'
import pg from 'pg'
import { QUEUE_NAMES, QUEUE_SCHEMA } from './queue.js'

/** Any number will do, as long as it stays the same. */
const QUEUE_LOCK = 20_267
const CONNECT_MS = 10_000

// BullMQ makes the sequence of a queue when the first job is added, which the roles may not.
const SEQUENCES = `
  do $$
  declare
    queue text;
  begin
    foreach queue in array array[${QUEUE_NAMES.map((name) => `'${name}'`).join(', ')}] loop
      execute format('create sequence if not exists ${QUEUE_SCHEMA}.%I', ${QUEUE_SCHEMA}.job_id_seq_name(queue));
    end loop;
  end $$`

/** The API adds jobs; adding one tells of it in `event`, of which the old is deleted. The worker does everything else. */
const GRANTS = [
  `grant usage on schema ${QUEUE_SCHEMA} to conclave_api, conclave_worker`,
  `grant usage on all sequences in schema ${QUEUE_SCHEMA} to conclave_api, conclave_worker`,
  `grant select on ${QUEUE_SCHEMA}.migration to conclave_api, conclave_worker`,
  `grant select, insert on ${QUEUE_SCHEMA}.job to conclave_api`,
  `grant select, insert, delete on ${QUEUE_SCHEMA}.event to conclave_api`,
  `grant select, insert, update on ${QUEUE_SCHEMA}.meta to conclave_api`,
  `grant select, insert, update, delete on all tables in schema ${QUEUE_SCHEMA} to conclave_worker`,
  `revoke insert, update, delete on ${QUEUE_SCHEMA}.migration from conclave_worker`
]

/**
 * Brings BullMQ's tables in the database up to date, and lets the roles of API and worker use them.
 *
 * @param url of who migrates Conclave's own tables
 */
export async function prepareQueueSchema(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS })
  await client.connect()
  try {
    // PostgreSQL refuses to grant the same in two transactions at once.
    await client.query('select pg_advisory_lock($1)', [QUEUE_LOCK])
    await runMigrations(client, QUEUE_SCHEMA)
    await client.query([SEQUENCES, ...GRANTS].join(';\n'))
  } finally {
    await client.end()
  }
}
