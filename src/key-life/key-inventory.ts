import { KEY_COLUMNS } from '../conversation-key/list-keys.js'
import type { Database, Statement } from '../database/database.js'
import type { ConversationKey, KeyState } from '../database/entities.js'

export interface InventoryFilter {
  states: KeyState[] | null
  /** Only versions whose rotation or destruction is overdue. */
  overdue: boolean
  masterKey: string | null
}

/** The last key version of the page before. */
export interface InventoryPosition {
  conversationId: string
  version: number
}

// What is overdue is what the worker looks for, in the indexes that it reads.
const OVERDUE = `
  from (
    select c.id as conversation_id, c.active_key_version as version from conversations c
     where c.key_used and c.key_rotates_at is not null and c.deleted_at is null and c.key_rotates_at <= $3
    union all
    select d.conversation_id, d.version from conversation_keys d
     where d.state in ('DEACTIVATED', 'PENDING_DESTRUCTION') and d.destroys_at is not null and d.destroys_at <= $3) o
  join conversation_keys k on k.conversation_id = o.conversation_id and k.version = o.version`

const ALL = 'from conversation_keys k'

/** Without a name: which index is best depends on the filter, and a prepared plan would be one for all of them. */
const select = (columns: string, { overdue }: InventoryFilter, rest = ''): Statement => ({
  text: `
    select ${columns} ${overdue ? OVERDUE : ALL}
     where ($1::text[] is null or k.state = any($1)) and ($2::text is null or k.master_key = $2)
       and $3::timestamptz is not null ${rest}`
})

const PAGE = `
  and ($4::uuid is null or (k.conversation_id, k.version) > ($4, $5::integer))
  order by k.conversation_id, k.version limit $6`

/** A page of what matches, for `EXPLAIN` as well: the values are those of {@link listInventory}. */
export const inventoryPage = (filter: InventoryFilter): Statement => select(KEY_COLUMNS, filter, PAGE)

/** Key versions of all conversations that match, in the order of conversation and version. */
export async function listInventory(
  { database, now }: { database: Database; now: Date },
  filter: InventoryFilter,
  limit: number,
  after: InventoryPosition | null
): Promise<ConversationKey[]> {
  const position = [after?.conversationId ?? null, after?.version ?? null]
  return await database.run(inventoryPage(filter), [...valuesOf(filter, now), ...position, limit])
}

export async function countInventory(
  { database, now }: { database: Database; now: Date },
  filter: InventoryFilter
): Promise<number> {
  const statement = select('count(*)::float8 as count', filter)
  const [row] = await database.run<{ count: number }>(statement, valuesOf(filter, now))
  return row?.count ?? 0
}

function valuesOf({ states, masterKey }: InventoryFilter, now: Date): unknown[] {
  return [states, masterKey, now]
}
