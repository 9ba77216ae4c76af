import type { Database, Statement } from '../database/database.js'

export interface DueRotations {
  /** Past their time, and used since activation. */
  overdue: number
  /** Of each of the next {@link DAYS} times 24 hours. */
  days: number[]
  later: number
}

const DAYS = 30

// The places: 0 is overdue, 1 to DAYS the days, and the last one what is later. Nothing but the index of what is used and
// has a time is counted, the same that the worker looks into.
export const COUNT_DUE_BY_DAY: Statement = {
  name: 'count-due-by-day',
  text: `
    select case when key_rotates_at <= $1 then 0
                else least(floor(extract(epoch from key_rotates_at - $1) / 86400), ${DAYS}) + 1 end::integer as place,
           count(*)::float8 as keys
      from conversations
     where key_used and key_rotates_at is not null and deleted_at is null
     group by 1`
}

/** When the keys that are used rotate by their policies, in the whole deployment. */
export async function countDueRotations({ database, now }: { database: Database; now: Date }): Promise<DueRotations> {
  const rows = await database.run<{ place: number; keys: number }>(COUNT_DUE_BY_DAY, [now])
  const places = new Map(rows.map(({ place, keys }) => [place, keys]))
  return {
    overdue: places.get(0) ?? 0,
    days: Array.from({ length: DAYS }, (_, day) => places.get(day + 1) ?? 0),
    later: places.get(DAYS + 1) ?? 0
  }
}
