import type { Database, Statement } from '../database/database.js'
import type { MasterKeyHealth, MasterKeyState } from '../master-key/master-key-health.js'

export interface KeyCounts {
  activeKeys: number
  /** Active, past rotatesAt, and used since activation. */
  overdueRotations: number
  overdueDestructions: number
  compromisedKeys: number
  pooledKeys: number
}

export interface KeyHealth extends KeyCounts {
  masterKeys: MasterKeyCensus[]
}

export interface MasterKeyCensus {
  uri: string
  current: boolean
  /** Private keys that would be lost with it. */
  wrappedKeyCount: number
  safeToRetire: boolean
  reachable: boolean
}

const HEALTH: Statement = {
  name: 'key-health',
  text: `
    select (select count(*) from conversation_keys where state = 'ACTIVE')::float8 as "activeKeys",
           (select count(*) from conversations
             where key_used and key_rotates_at is not null and deleted_at is null and key_rotates_at <= $1)::float8
             as "overdueRotations",
           (select count(*) from conversation_keys
             where state in ('DEACTIVATED', 'PENDING_DESTRUCTION') and destroys_at is not null and destroys_at <= $1)::float8
             as "overdueDestructions",
           (select count(*) from conversation_keys where state = 'COMPROMISED')::float8 as "compromisedKeys",
           (select count(*) from pooled_keys)::float8 as "pooledKeys"`
}

const CENSUS: Statement = {
  name: 'master-key-census',
  text: `
    select uri, sum(keys)::float8 as keys from (
      select master_key as uri, count(*) as keys from conversation_keys where master_key is not null group by 1
      union all
      select master_key, count(*) from pooled_keys group by 1) counted
     group by uri order by uri`
}

/** How many private keys each master key holds, also those that this process was not given. */
export async function countByMasterKey({ database }: { database: Database }): Promise<{ uri: string; keys: number }[]> {
  return await database.run(CENSUS, [])
}

/** How many keys there are, and how much work on them is overdue: counted from indexes, never from messages. */
export async function countKeys({ database, now }: { database: Database; now: Date }): Promise<KeyCounts> {
  const [counts] = await database.run<KeyCounts>(HEALTH, [now])
  if (!counts) throw new Error('a select without a from clause has a row')
  return counts
}

/** How the keys of the whole deployment stand, and the master keys over them. */
export async function keyHealth({
  database,
  masterKeyHealth,
  now
}: {
  database: Database
  masterKeyHealth: MasterKeyHealth
  now: Date
}): Promise<KeyHealth> {
  const [counts, wrapped, states] = await Promise.all([
    countKeys({ database, now }),
    countByMasterKey({ database }),
    masterKeyHealth.states()
  ])
  return { ...counts, masterKeys: census(states, new Map(wrapped.map(({ uri, keys }) => [uri, keys]))) }
}

function census(states: MasterKeyState[], wrapped: Map<string, number>): MasterKeyCensus[] {
  // The current one first, then what this process can unwrap, then what only the database knows of.
  const ordered = states.toSorted((a, b) => Number(b.current) - Number(a.current))
  return [...new Set([...ordered.map(({ uri }) => uri), ...wrapped.keys()])].map((uri) => {
    const state = states.find((state) => state.uri === uri)
    const current = state?.current ?? false
    const wrappedKeyCount = wrapped.get(uri) ?? 0
    return {
      uri,
      current,
      wrappedKeyCount,
      safeToRetire: !current && wrappedKeyCount === 0,
      reachable: state !== undefined && state.problem === null
    }
  })
}

/** A version of a conversation. */
export interface CountedKey {
  conversationId: string
  version: number
}

export const MESSAGES_OF_KEYS: Statement = {
  name: 'messages-of-keys',
  text: `
    select wanted.conversation_id as "conversationId", wanted.version,
           (coalesce((select sum(d.message_count) from data_keys d
                       where d.conversation_id = wanted.conversation_id and d.key_version = wanted.version), 0)
            + coalesce((select c.data_key_messages from conversations c
                         where c.id = wanted.conversation_id and c.active_key_version = wanted.version), 0))::float8 as count
      from unnest((select $1)::uuid[], (select $2)::integer[]) as wanted (conversation_id, version)`
}

/** Messages that need a version to be read, for each of the versions: from the counts of its data keys. */
export async function countMessagesOfKeys(
  { database }: { database: Database },
  keys: readonly CountedKey[]
): Promise<number[]> {
  const values = [keys.map(({ conversationId }) => conversationId), keys.map(({ version }) => version)]
  const rows = await database.run<CountedKey & { count: number }>(MESSAGES_OF_KEYS, values)
  const counts = new Map(rows.map((row) => [`${row.conversationId} ${row.version}`, row.count]))
  return keys.map(({ conversationId, version }) => counts.get(`${conversationId} ${version}`) ?? 0)
}
