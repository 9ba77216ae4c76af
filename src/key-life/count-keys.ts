import type { Database, Statement } from '../database/database.js'
import type { KeyState } from '../database/entities.js'

/** Of PRE_ACTIVATION there are none in the table: those are in the pool. */
const STATES: readonly KeyState[] = ['ACTIVE', 'DEACTIVATED', 'COMPROMISED', 'PENDING_DESTRUCTION', 'DESTROYED']

// State by state, in the index that begins with it: the rows themselves, two kilobytes each, are not read.
export const COUNT_KEYS: Statement = {
  name: 'count-keys-by-state',
  text: `
    select s.state, c.keys
      from unnest((select $1)::text[]) as s (state)
     cross join lateral (select count(*)::float8 as keys from conversation_keys k where k.state = s.state) c`
}

export const COUNT_OVERDUE: Statement = {
  name: 'count-overdue',
  text: `
    select count(*)::float8 as rotations, min(key_rotates_at) as "rotationSince",
           (select count(*)::float8 from conversation_keys
             where state in ('DEACTIVATED', 'PENDING_DESTRUCTION') and destroys_at is not null and destroys_at <= $1)
             as destructions
      from conversations
     where key_used and key_rotates_at is not null and deleted_at is null and key_rotates_at <= $1`
}

export interface KeyCounts {
  byState: { state: KeyState; keys: number }[]
  overdueRotations: number
  /** When the one that is overdue longest was due; null where none is. */
  rotationOverdueSince: Date | null
  overdueDestructions: number
}

/** How many keys there are, and how many of them are overdue: counted in indexes, never from messages. */
export async function countKeys({ database, now }: { database: Database; now: Date }): Promise<KeyCounts> {
  const byState = await database.run<{ state: KeyState; keys: number }>(COUNT_KEYS, [STATES])
  const [overdue] = await database.run<{ rotations: number; rotationSince: Date | null; destructions: number }>(
    COUNT_OVERDUE,
    [now]
  )
  return {
    byState,
    overdueRotations: overdue?.rotations ?? 0,
    rotationOverdueSince: overdue?.rotationSince ?? null,
    overdueDestructions: overdue?.destructions ?? 0
  }
}
