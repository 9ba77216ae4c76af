import { type FormEvent, useId, useState } from 'react'
import {
  type KeyEventFilter,
  KeyEventsDocument,
  type KeyEventsQuery,
  VerifyKeyEventsDocument,
  type VerifyKeyEventsQuery
} from '../../../documents/generated.js'
import { KEY_ACTIONS } from '../../../src/conversation-key/key-actions.js'
import type { Connection } from '../connection.js'
import { Problem } from '../parts/problem.js'
import { ScrollRegion } from '../parts/scroll-region.js'
import { fullTime } from '../parts/time.js'
import { hrefOf } from '../route.js'
import { useAction, useConnection, useLoaded } from '../use-connection.js'

const PAGE = 200
const LOOK_EVERY_MS = 10_000

type KeyEvent = KeyEventsQuery['keyEvents']['nodes'][number]

interface Wanted {
  conversationId: string | null
  filter: KeyEventFilter | null
}

const EVERYTHING: Wanted = { conversationId: null, filter: null }

export function AuditTrail() {
  const connection = useConnection()
  const [wanted, setWanted] = useState(EVERYTHING)
  const [limit, setLimit] = useState(PAGE)
  const events = useLoaded(
    async () => await eventsUpTo(connection, wanted, limit),
    [connection, wanted, limit],
    LOOK_EVERY_MS
  )
  const lookFor = (next: Wanted) => {
    setWanted(next)
    setLimit(PAGE)
  }
  const shown = events.data?.nodes ?? []
  return (
    <section className="card" aria-labelledby="audit">
      <h2 id="audit">Audit trail</h2>
      <Verification />
      <Filter onLook={lookFor} />
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
          {shown.length} shown, {events.data.hasMore ? 'and there are more' : 'which is all'}.{' '}
          {events.data.hasMore && (
            <button type="button" className="link" onClick={() => setLimit(limit + PAGE)}>
              Look at {PAGE} more
            </button>
          )}
        </p>
      )}
    </section>
  )
}

/** Looked for in the whole trail, by the server. */
function Filter({ onLook }: { onLook: (wanted: Wanted) => void }) {
  const id = useId()
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget)
    const [conversationId, action, actor] = ['conversation', 'action', 'actor'].map(
      (name) => String(fields.get(name)).trim() || null
    )
    onLook({ conversationId: conversationId ?? null, filter: action || actor ? { action, actor } : null })
  }
  return (
    <form className="filter" onSubmit={submit} onReset={() => onLook(EVERYTHING)}>
      <div>
        <label htmlFor={`${id}c`}>Conversation id</label>
        <input id={`${id}c`} name="conversation" autoCapitalize="off" />
      </div>
      <div>
        <label htmlFor={`${id}a`}>Action</label>
        <select id={`${id}a`} name="action">
          <option value="">any</option>
          {KEY_ACTIONS.map((action) => (
            <option key={action}>{action}</option>
          ))}
        </select>
      </div>
      <div>
        <label htmlFor={`${id}b`}>By</label>
        <input id={`${id}b`} name="actor" placeholder="User id, or scheduler" autoCapitalize="off" />
      </div>
      <button type="submit">Look</button>
      <button type="reset" className="quiet">
        Clear
      </button>
    </form>
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

async function eventsUpTo(connection: Connection, wanted: Wanted, limit: number) {
  const nodes: KeyEvent[] = []
  let after: string | null = null
  for (;;) {
    // Counting reads all that match, each time that this is looked at.
    const variables = { ...wanted, first: PAGE, after, counted: false }
    const page: KeyEventsQuery = await connection.query(KeyEventsDocument, variables)
    const { keyEvents } = page
    nodes.push(...keyEvents.nodes)
    const { hasNextPage, endCursor } = page.keyEvents.pageInfo
    if (!hasNextPage || !endCursor || nodes.length >= limit) return { nodes, hasMore: hasNextPage }
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
