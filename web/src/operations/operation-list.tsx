import { type ReactNode, useEffect, useState } from 'react'
import {
  CancelKeyOperationDocument,
  type KeyOperationFieldsFragment,
  KeyOperationProgressDocument,
  KeyOperationsDocument,
  PauseKeyOperationDocument,
  ResumeKeyOperationDocument
} from '../../../documents/generated.js'
import { Problem } from '../parts/problem.js'
import { fullTime } from '../parts/time.js'
import { useAction, useConnection, useLoaded } from '../use-connection.js'

/** What others begin: there is no subscription to that. */
const LOOK_EVERY_MS = 3_000
const OPEN = ['QUEUED', 'RUNNING']

/** Operations on keys, the latest first; one that is under way moves as it does. */
export function OperationList({ onFinished, children }: { onFinished: () => Promise<void>; children: ReactNode }) {
  const connection = useConnection()
  const operations = useLoaded(
    async () => (await connection.query(KeyOperationsDocument, { first: 10 })).keyOperations,
    [connection],
    LOOK_EVERY_MS
  )
  return (
    <section className="card" aria-labelledby="operations">
      <h2 id="operations">Operations on keys</h2>
      {children}
      <Problem failure={operations.failure} />
      {operations.data?.length === 0 && <p className="hint">There were none yet.</p>}
      <ul className="operations">
        {operations.data?.map((operation) => (
          <Operation key={operation.id} listed={operation} onFinished={onFinished} />
        ))}
      </ul>
    </section>
  )
}

function Operation({ listed, onFinished }: { listed: KeyOperationFieldsFragment; onFinished: () => Promise<void> }) {
  const connection = useConnection()
  const [live, setLive] = useState<KeyOperationFieldsFragment | null>(null)
  const operation = live && !listed.finishedAt ? live : listed
  const isOpen = OPEN.includes(listed.state)
  const { id } = listed
  useEffect(() => {
    if (!isOpen) return
    const left = new AbortController()
    void connection
      .follow(
        KeyOperationProgressDocument,
        () => ({ id }),
        ({ keyOperationProgress }) => setLive(keyOperationProgress),
        left.signal
      )
      .then(async () => {
        if (!left.signal.aborted) await onFinished()
      })
    return () => left.abort()
  }, [connection, id, isOpen, onFinished])
  const { kind, state, total, done, failed, dryRun, error, createdAt, pausedAt } = operation
  return (
    <li>
      <span>
        <strong>{kind.toLowerCase().replaceAll('_', ' ')}</strong>
        {dryRun && <span className="tag">dry run</span>}{' '}
        <span className={`state state-${state.toLowerCase()}`}>{pausedAt ? 'paused' : state.toLowerCase()}</span>
      </span>
      <progress
        max={Math.max(1, total)}
        value={state === 'SUCCEEDED' ? Math.max(1, total) : done + failed}
        aria-label={`Progress of ${kind}`}
      />
      <span className="number">
        {done} of {total}
        {failed > 0 && `, ${failed} failed`}
      </span>
      <time className="hint" dateTime={createdAt}>
        {fullTime(createdAt)}
      </time>
      {error && <p className="problem">{error}</p>}
      {OPEN.includes(state) && connection.session.scopes.includes('keys:admin') && (
        <Control id={id} isPaused={pausedAt !== null} />
      )}
    </li>
  )
}

function Control({ id, isPaused }: { id: string; isPaused: boolean }) {
  const connection = useConnection()
  const [run, failure, isRunning] = useAction()
  const toggle = () =>
    isPaused ? connection.run(ResumeKeyOperationDocument, { id }) : connection.run(PauseKeyOperationDocument, { id })
  return (
    <span className="controls">
      <button type="button" className="link" disabled={isRunning} onClick={() => void run(toggle)}>
        {isPaused ? 'Resume' : 'Pause'}
      </button>{' '}
      <button
        type="button"
        className="link"
        disabled={isRunning}
        onClick={() => void run(() => connection.run(CancelKeyOperationDocument, { id }))}
      >
        Cancel
      </button>
      <Problem failure={failure} />
    </span>
  )
}
