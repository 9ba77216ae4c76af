import type { Database, Statement } from '../database/database.js'
import type { ConversationKey, KeyState } from '../database/entities.js'
import type { MasterKeys } from '../master-key/master-keys.js'

export interface KeyHealth {
  activeKeys: number
  /** Active, past rotatesAt, and used since activation. */
  overdueRotations: number
  overdueDestructions: number
  compromisedKeys: number
  pooledKeys: number
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

/** How the keys of the whole deployment stand: counted from indexes, never from messages. */
export async function keyHealth({
  database,
  masterKeys,
  now
}: {
  database: Database
  masterKeys: MasterKeys
  now: Date
}): Promise<KeyHealth> {
  const [[counts], wrapped] = await Promise.all([
    database.run<Omit<KeyHealth, 'masterKeys'>>(HEALTH, [now]),
    database.run<{ uri: string; keys: number }>(CENSUS, [])
  ])
  if (!counts) throw new Error('a select without a from clause has a row')
  return { ...counts, masterKeys: census(masterKeys, new Map(wrapped.map(({ uri, keys }) => [uri, keys]))) }
}

function census(masterKeys: MasterKeys, wrapped: Map<string, number>): MasterKeyCensus[] {
  const uris = new Set([masterKeys.current.uri, ...masterKeys.uris, ...wrapped.keys()])
  return [...uris].map((uri) => {
    const current = uri === masterKeys.current.uri
    const wrappedKeyCount = wrapped.get(uri) ?? 0
    return {
      uri,
      current,
      wrappedKeyCount,
      safeToRetire: !current && wrappedKeyCount === 0,
      reachable: masterKeys.uris.includes(uri)
    }
  })
}

export interface InventoryFilter {
  states: KeyState[] | null
  /** Only versions whose rotation or destruction is overdue. */
  overdue: boolean
  masterKey: string | null
}

export interface InventoryPosition {
  conversationId: string
  version: number
}

const KEY_COLUMNS = `
  k.conversation_id as "conversationId", k.version, k.key_id as "keyId", k.state, k.modulus_bits as "modulusBits",
  k.public_key as "publicKey", k.master_key as "masterKey", k.rotation_reason as "rotationReason",
  k.created_at as "createdAt", k.activated_at as "activatedAt", k.rotates_at as "rotatesAt",
  k.deactivated_at as "deactivatedAt", k.destroys_at as "destroysAt", k.destroyed_at as "destroyedAt"`

const MATCHING = `
  from conversation_keys k join conversations c on c.id = k.conversation_id
 where ($1::text[] is null or k.state = any($1))
   and ($2::text is null or k.master_key = $2)
   and (not $3::boolean
        or (k.state = 'ACTIVE' and c.key_used and c.key_rotates_at <= $4)
        or (k.state in ('DEACTIVATED', 'PENDING_DESTRUCTION') and k.destroys_at <= $4))`

const INVENTORY: Statement = {
  name: 'key-inventory',
  text: `select ${KEY_COLUMNS} ${MATCHING}
           and ($5::uuid is null or (k.conversation_id, k.version) > ($5, $6::integer))
         order by k.conversation_id, k.version limit $7`
}

const OF_CONVERSATION: Statement = {
  name: 'keys-of-conversation',
  text: `select ${KEY_COLUMNS} from conversation_keys k where k.conversation_id = $1 order by k.version`
}

/** Key versions of one conversation, ascending; none for one that does not exist. */
export async function listKeysOf(
  { database }: { database: Database },
  conversationId: string
): Promise<ConversationKey[]> {
  return await database.run(OF_CONVERSATION, [conversationId])
}

const INVENTORY_COUNT: Statement = { name: 'count-key-inventory', text: `select count(*)::float8 as count ${MATCHING}` }

/** Key versions of all conversations that match, in the order of conversation and version. */
export async function listInventory(
  { database, now }: { database: Database; now: Date },
  filter: InventoryFilter,
  limit: number,
  after: InventoryPosition | null
): Promise<ConversationKey[]> {
  const values = [
    filter.states,
    filter.masterKey,
    filter.overdue,
    now,
    after?.conversationId ?? null,
    after?.version ?? null,
    limit
  ]
  return await database.run(INVENTORY, values)
}

export async function countInventory(
  { database, now }: { database: Database; now: Date },
  filter: InventoryFilter
): Promise<number> {
  const [row] = await database.run<{ count: number }>(INVENTORY_COUNT, [
    filter.states,
    filter.masterKey,
    filter.overdue,
    now
  ])
  return row?.count ?? 0
}

const MESSAGES: Statement = {
  name: 'messages-of-keys',
  text: `
    select wanted.conversation_id as "conversationId", wanted.version,
           (coalesce((select sum(d.message_count) from data_keys d
                       where d.conversation_id = wanted.conversation_id and d.key_version = wanted.version), 0)
            + coalesce((select c.data_key_messages from conversations c
                         where c.id = wanted.conversation_id and c.active_key_version = wanted.version), 0))::float8 as count
      from unnest($1::uuid[], $2::integer[]) as wanted (conversation_id, version)`
}

/** Messages that need a version to be read, for each of the versions: from the counts of its data keys. */
export async function countMessagesOfKeys(
  { database }: { database: Database },
  keys: readonly InventoryPosition[]
): Promise<number[]> {
  const values = [keys.map(({ conversationId }) => conversationId), keys.map(({ version }) => version)]
  const rows = await database.run<InventoryPosition & { count: number }>(MESSAGES, values)
  return keys.map(
    (key) => rows.find((row) => row.conversationId === key.conversationId && row.version === key.version)?.count ?? 0
  )
}
