import { DueRotationsDocument } from '../../../documents/generated.js'
import { Problem } from '../parts/problem.js'
import { useConnection, useLoaded } from '../use-connection.js'

/** As often as the figures above it. */
const LOOK_EVERY_MS = 5_000

/** When the keys that are used rotate: overdue ones, then day by day. */
export function DueRotations() {
  const connection = useConnection()
  const { data, failure } = useLoaded(
    async () => (await connection.query(DueRotationsDocument, {})).dueRotations,
    [connection],
    LOOK_EVERY_MS
  )
  if (!data) return <Problem failure={failure} />
  const { overdue, days, later } = data
  const soon = days.reduce((sum, count) => sum + count, 0)
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
        aria-label={`${overdue} overdue, ${soon} within ${days.length} days, ${later} later`}
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
        <span>day by day, {days.length} days</span>
        <span>later</span>
      </p>
      <p className="hint">
        {overdue} overdue, {soon} within {days.length} days, {later} later. Keys of conversations that nobody uses are
        not rotated, and not counted here.
      </p>
    </section>
  )
}
