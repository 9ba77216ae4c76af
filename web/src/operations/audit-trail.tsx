import { useState } from 'react'
import {
  KeyEventsDocument,
  type KeyEventsQuery,
  VerifyKeyEventsDocument,
  type VerifyKeyEventsQuery
} from '../../../documents/generated.js'
import type { Connection } from '../connection.js'
import { Problem } from '../parts/problem.js'
import { ScrollRegion } from '../parts/scroll-region.js'
import { fullTime } from '../parts/time.js'
import { hrefOf } from '../route.js'
import { useAction, useConnection, useLoaded } from '../use-connection.js'

const PAGE = 200
const LOOK_EVERY_MS = 10_000

type KeyEvent = KeyEventsQuery['keyEvents']['nodes'][number]

export function AuditTrail() {
  const connection = useConnection()
  const [conversationId, setConversationId] = useState('')
  const [action, setAction] = useState('')
  const [limit, setLimit] = useState(PAGE)
  const filter = conversationId.trim() || null
  const events = useLoaded(
    async () => await eventsUpTo(connection, filter, limit),
    [connection, filter, limit],
    LOOK_EVERY_MS
  )
  const shown = events.data?.nodes.filter((event) => event.action.includes(action.trim())) ?? []
  return (
    <section className="card" aria-labelledby="audit">
      <h2 id="audit">Audit trail</h2>
      <Verification />
      <div className="filter">
        <label htmlFor="audit-conversation">Conversation id</label>
        <input
          id="audit-conversation"
          value={conversationId}
          onChange={({ target }) => setConversationId(target.value)}
        />
        <label htmlFor="audit-action">Action</label>
        <input
          id="audit-action"
          value={action}
          placeholder="key.destroyed"
          onChange={({ target }) => setAction(target.value)}
        />
      </div>
      <Problem failure={events.failure} />
      <ScrollRegion label="Events of the audit trail">
        <table>
          <thead>
            <tr>
              <th scope="col">At</th>
              <th scope="col">Action</th>
              <th scope="col">By</th>
              <th scope="col">Conversation</th>
              <th scope="col">Version</th>
              <th scope="col">Detail</th>
              <th scope="col">Hash</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((event) => (
              <Row key={event.hash} event={event} />
            ))}
          </tbody>
        </table>
      </ScrollRegion>
      {events.data && (
        <p className="hint">
          {shown.length} shown, of {events.data.totalCount} events.{' '}
          {events.data.totalCount > limit && (
            <button type="button" className="link" onClick={() => setLimit(limit + PAGE)}>
              Look at {PAGE} more
            </button>
          )}
        </p>
      )}
    </section>
  )
}

function Row({ event: { at, action, actor, conversationId, keyVersion, detail, hash } }: { event: KeyEvent }) {
  return (
    <tr>
      <td className="when">{fullTime(at)}</td>
      <td>{action}</td>
      <td>{actor}</td>
      <td>{conversationId && <a href={hrefOf({ view: 'keys', conversationId })}>{conversationId.slice(0, 8)}…</a>}</td>
      <td>{keyVersion ?? ''}</td>
      <td className="detail">{detail ?? ''}</td>
      <td>
        <code title={hash}>{hash.slice(0, 12)}…</code>
      </td>
    </tr>
  )
}

async function eventsUpTo(connection: Connection, conversationId: string | null, limit: number) {
  const nodes: KeyEvent[] = []
  let after: string | null = null
  for (;;) {
    const page: KeyEventsQuery = await connection.query(KeyEventsDocument, { conversationId, first: PAGE, after })
    const { keyEvents } = page
    nodes.push(...keyEvents.nodes)
    const { hasNextPage, endCursor } = page.keyEvents.pageInfo
    if (!hasNextPage || !endCursor || nodes.length >= limit) return { nodes, totalCount: keyEvents.totalCount }
    after = endCursor
  }
}

function Verification() {
  const connection = useConnection()
  const [result, setResult] = useState<VerifyKeyEventsQuery['verifyKeyEvents'] | null>(null)
  const [run, failure, isRunning] = useAction()
  const verify = () =>
    void run(async () => setResult((await connection.query(VerifyKeyEventsDocument, {})).verifyKeyEvents))
  return (
    <div>
      <button type="button" className="quiet" disabled={isRunning} onClick={verify}>
        {isRunning ? 'Verifying…' : 'Verify every hash'}
      </button>
      <Problem failure={failure} />
      {result && (
        <p role="status" className={result.valid ? 'good' : 'problem'}>
          {result.valid
            ? `All ${result.checked} events are as they were written.`
            : `Event ${result.firstInvalidSequence} is not as it was written.`}
        </p>
      )}
    </div>
  )
}
