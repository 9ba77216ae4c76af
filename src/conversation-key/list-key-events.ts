import type { Database, Statement } from '../database/database.js'
import { ALL_EVENTS, type KeyEventFilter } from './key-event-filter.js'
import { countUpTo, KEY_EVENT_COLUMNS, type KeyEvent, SHARDS, sequenceOf, shardOf } from './key-events.js'

/** An event of a list, and where the list goes on after it. */
export interface ListedKeyEvent extends KeyEvent {
  position: string
}

export const EVENTS_OF_CONVERSATION: Statement = {
  name: 'list-key-events-of-conversation',
  text: `
    select ${KEY_EVENT_COLUMNS} from key_events where conversation_id = $1 and key_events.sequence > $2 order by key_events.sequence limit $3`
}

export const EVENTS_OF_CHAINS: Statement = {
  name: 'list-key-events',
  text: `
    select e.* from unnest($1::integer[], $2::bigint[]) as chain (shard, after)
     cross join lateral (
       select ${KEY_EVENT_COLUMNS} from key_events
        where shard = chain.shard and key_events.sequence > chain.after
        order by key_events.sequence limit $3) e`
}

const COUNT: Statement = {
  name: 'count-key-events',
  text: `
    select case when $1::uuid is null then (select sum(count) from key_event_heads)
           else (select count(*) from key_events where conversation_id = $1) end::float8 as count`
}

const wanted = (action: string, actor: string) =>
  `(${action}::text is null or action = ${action}) and (${actor}::text is null or actor = ${actor})`

// The statements with a filter have no name: planned anew each time, for what is looked for, they can use the indexes
// of what is rare in a trail.

const FILTERED_OF_CONVERSATION: Statement = {
  text: `
    select ${KEY_EVENT_COLUMNS} from key_events
     where conversation_id = $1 and key_events.sequence > $2 and ${wanted('$4', '$5')}
     order by key_events.sequence limit $3`
}

export const FILTERED_OF_CHAINS: Statement = {
  text: `
    select e.* from unnest($1::integer[], $2::bigint[]) as chain (shard, after)
     cross join lateral (
       select ${KEY_EVENT_COLUMNS} from key_events
        where shard = chain.shard and key_events.sequence > chain.after and ${wanted('$4', '$5')}
        order by key_events.sequence limit $3) e`
}

const COUNT_FILTERED: Statement = {
  text: `
    select count(*)::float8 as count from key_events
     where ($1::uuid is null or conversation_id = $1) and ${wanted('$2', '$3')}`
}

/**
 * Events of one conversation, in the order of their sequence.
 *
 * @param after position of the event before, whatever it was looked for with; null to begin
 */
export async function listKeyEventsOf(
  { database }: { database: Database },
  conversationId: string,
  after: string | null,
  limit: number,
  filter: KeyEventFilter = ALL_EVENTS
): Promise<ListedKeyEvent[]> {
  const events = await runFiltered<KeyEvent>(database, EVENTS_OF_CONVERSATION, FILTERED_OF_CONVERSATION, filter, [
    conversationId,
    Number(after ?? 0),
    limit
  ])
  return events.map((event) => ({ ...event, position: String(event.sequence) }))
}

/**
 * Events of all conversations, in the order of time, and in that of their chain where the two differ. A position
 * says how far each chain was read: an event that is added later to a chain that lags behind is still found.
 *
 * @param after position of the event before, whatever it was looked for with; null to begin
 */
export async function listKeyEvents(
  { database }: { database: Database },
  after: string | null,
  limit: number,
  filter: KeyEventFilter = ALL_EVENTS
): Promise<ListedKeyEvent[]> {
  const read = after?.split(' ').map(Number) ?? Array<number>(SHARDS).fill(0)
  const from = read.map((count, shard) => sequenceOf(shard, count))
  const values = [[...read.keys()], from, limit]
  const found = await runFiltered<KeyEvent>(database, EVENTS_OF_CHAINS, FILTERED_OF_CHAINS, filter, values)
  return merge(found, read, limit)
}

/** Takes the earliest of the chains' next events, again and again. */
function merge(events: KeyEvent[], read: number[], limit: number): ListedKeyEvent[] {
  const chains = read.map((_, shard) => events.filter(({ sequence }) => shardOf(sequence) === shard))
  const merged: ListedKeyEvent[] = []
  while (merged.length < limit) {
    const [next] = chains.flatMap(([first]) => first ?? []).sort(byTime)
    if (!next) break
    const shard = shardOf(next.sequence)
    chains[shard]?.shift()
    read = read.with(shard, countUpTo(next.sequence))
    merged.push({ ...next, position: read.join(' ') })
  }
  return merged
}

function byTime(a: KeyEvent, b: KeyEvent): number {
  return a.at.getTime() - b.at.getTime() || a.sequence - b.sequence
}

export async function countKeyEvents(
  { database }: { database: Database },
  conversationId: string | null,
  filter: KeyEventFilter = ALL_EVENTS
): Promise<number> {
  const [row] = await runFiltered<{ count: number }>(database, COUNT, COUNT_FILTERED, filter, [conversationId])
  return row?.count ?? 0
}

async function runFiltered<Row extends object>(
  database: Database,
  ofAll: Statement,
  filtered: Statement,
  { action, actor }: KeyEventFilter,
  values: unknown[]
): Promise<Row[]> {
  if (action === null && actor === null) return await database.run<Row>(ofAll, values)
  return await database.run<Row>(filtered, [...values, action, actor])
}
