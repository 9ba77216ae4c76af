import {
  KeyInventoryDocument,
  type KeyInventoryQuery,
  type KeyInventoryQueryVariables
} from '../../../documents/generated.js'
import type { Connection } from '../connection.js'
import { Problem } from '../parts/problem.js'
import { useConnection, useLoaded } from '../use-connection.js'

const DAY_MS = 86_400_000
const DAYS = 30
const PAGE = 200
const LOOKED_AT = 5_000

/** When the active keys rotate: overdue ones, then day by day. */
export function DueRotations() {
  const connection = useConnection()
  const { data, failure } = useLoaded(() => activeKeys(connection), [connection])
  if (!data) return <Problem failure={failure} />
  const { overdue, days, later } = countsOf(data.rotatesAt)
  const most = Math.max(1, overdue, later, ...days)
  const columns = [
    { name: 'overdue', count: overdue, kind: 'late' },
    ...days.map((count, index) => ({ name: `in ${index} days`, count, kind: 'soon' })),
    { name: 'later', count: later, kind: 'later' }
  ]
  return (
    <section className="card" aria-labelledby="due">
      <h2 id="due">Rotations that are due</h2>
      <div
        className="columns"
        role="img"
        aria-label={`${overdue} overdue, ${days.reduce((sum, count) => sum + count, 0)} within ${DAYS} days, ${later} later`}
      >
        {columns.map(({ name, count, kind }) => (
          <span
            key={name}
            className={count === 0 ? `${kind} nothing-due` : kind}
            style={{ height: `${(count / most) * 100}%` }}
            title={`${name}: ${count}`}
          />
        ))}
      </div>
      <p className="columns-foot" aria-hidden="true">
        <span>overdue</span>
        <span>day by day, {DAYS} days</span>
        <span>later</span>
      </p>
      <p className="hint">
        {overdue} overdue; of{' '}
        {data.isCutOff ? `the first ${data.rotatesAt.length} of ${data.totalCount}` : data.totalCount} active keys. Keys
        of conversations that nobody uses are not rotated.
      </p>
    </section>
  )
}

/** Page by page, up to a bound: the inventory of a large deployment is not for a chart. */
async function activeKeys(connection: Connection) {
  const rotatesAt: (string | null)[] = []
  let after: string | null = null
  for (;;) {
    const variables: KeyInventoryQueryVariables = { filter: { states: ['ACTIVE'] }, first: PAGE, after }
    const { keyInventory }: KeyInventoryQuery = await connection.query(KeyInventoryDocument, variables)
    const { totalCount, pageInfo, nodes } = keyInventory
    rotatesAt.push(...nodes.map(({ key }) => key.rotatesAt))
    after = pageInfo.endCursor
    if (!pageInfo.hasNextPage || rotatesAt.length >= LOOKED_AT)
      return { rotatesAt, totalCount, isCutOff: pageInfo.hasNextPage }
  }
}

function countsOf(rotatesAt: readonly (string | null)[]) {
  const now = Date.now()
  const days = Array.from({ length: DAYS }, () => 0)
  let overdue = 0
  let later = 0
  for (const at of rotatesAt) {
    const inDays = at === null ? Number.POSITIVE_INFINITY : Math.floor((new Date(at).getTime() - now) / DAY_MS)
    if (inDays < 0) overdue++
    else if (inDays >= DAYS) later++
    else days[inDays] = (days[inDays] ?? 0) + 1
  }
  return { overdue, days, later }
}
