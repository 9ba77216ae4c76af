import { useState } from 'react'
import { KeyEventsDocument, VerifyKeyEventsDocument, type VerifyKeyEventsQuery } from '../../../documents/generated.js'
import { Problem } from '../parts/problem.js'
import { fullTime } from '../parts/time.js'
import { useAction, useConnection, useLoaded } from '../use-connection.js'

const PAGE = 50

export function AuditTrail() {
  const connection = useConnection()
  const [conversationId, setConversationId] = useState('')
  const [action, setAction] = useState('')
  const filter = conversationId.trim() || null
  const events = useLoaded(
    async () => (await connection.query(KeyEventsDocument, { conversationId: filter, first: PAGE })).keyEvents,
    [connection, filter]
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
      <div className="scroll" role="region" aria-label="Events of the audit trail">
        <table>
          <thead>
            <tr>
              <th scope="col">At</th>
              <th scope="col">Action</th>
              <th scope="col">By</th>
              <th scope="col">Version</th>
              <th scope="col">Detail</th>
              <th scope="col">Hash</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((event) => (
              <tr key={event.sequence}>
                <td>{fullTime(event.at)}</td>
                <td>{event.action}</td>
                <td>{event.actor}</td>
                <td>{event.keyVersion ?? ''}</td>
                <td className="detail">{event.detail ?? ''}</td>
                <td>
                  <code title={event.hash}>{event.hash.slice(0, 12)}…</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {events.data && (
        <p className="hint">
          {shown.length} of {events.data.totalCount} events; the first {PAGE} are looked at.
        </p>
      )}
    </section>
  )
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
