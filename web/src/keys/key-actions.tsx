import { useRef, useState } from 'react'
import {
  CancelKeyDestructionDocument,
  type KeyFieldsFragment,
  MarkKeyCompromisedDocument,
  ScheduleKeyDestructionDocument
} from '../../../documents/generated.js'
import { Problem } from '../parts/problem.js'
import { useAction, useConnection } from '../use-connection.js'

interface Props {
  conversationId: string
  version: KeyFieldsFragment
  onChange: () => Promise<void>
}

const AFTER = 'P7D'

/** What an administrator of keys may do with one version, each behind a confirmation that says what it costs. */
export function KeyActions({ conversationId, version: { version, state, messageCount }, onChange }: Props) {
  const connection = useConnection()
  const key = { conversationId, version }
  const lost = messageCount === 1 ? '1 message lies' : `${messageCount} messages lie`
  const canCompromise = ['ACTIVE', 'DEACTIVATED', 'PENDING_DESTRUCTION'].includes(state)
  return (
    <div className="key-actions">
      {canCompromise && (
        <Confirmed
          label="Mark as compromised"
          question={`Version ${version} was or may be known to somebody else?`}
          consequence={`${lost} under it. A new version is made active, their data keys are wrapped under that one, and this version is destroyed. Nothing is lost.`}
          run={() => connection.run(MarkKeyCompromisedDocument, key)}
          onDone={onChange}
        />
      )}
      {(state === 'DEACTIVATED' || state === 'COMPROMISED') && (
        <Confirmed
          label="Schedule its destruction"
          question={`Destroy version ${version} in seven days?`}
          consequence={
            messageCount === 0
              ? 'No message lies under it: nothing is lost.'
              : `${lost} under it, and cannot be read from now on. Until the seven days are over this can be cancelled; then nobody can ever read them again.`
          }
          run={() => connection.run(ScheduleKeyDestructionDocument, { ...key, after: AFTER })}
          onDone={onChange}
        />
      )}
      {state === 'PENDING_DESTRUCTION' && (
        <Confirmed
          label="Cancel its destruction"
          question={`Keep version ${version}?`}
          consequence={`${lost} under it, and can be read again.`}
          run={() => connection.run(CancelKeyDestructionDocument, key)}
          onDone={onChange}
        />
      )}
    </div>
  )
}

interface ConfirmedProps {
  label: string
  question: string
  consequence: string
  run: () => Promise<unknown>
  onDone: () => Promise<void>
}

function Confirmed({ label, question, consequence, run, onDone }: ConfirmedProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [act, failure, isRunning] = useAction()
  const [isOpen, setOpen] = useState(false)
  const confirm = () =>
    void act(async () => {
      await run()
      dialog.current?.close()
      await onDone()
    })
  return (
    <>
      <button
        type="button"
        className="quiet"
        onClick={() => {
          setOpen(true)
          dialog.current?.showModal()
        }}
      >
        {label}
      </button>
      <dialog ref={dialog} aria-label={label} onClose={() => setOpen(false)}>
        {isOpen && (
          <>
            <h2>{question}</h2>
            <p>{consequence}</p>
            <Problem failure={failure} />
            <button type="button" className="danger" disabled={isRunning} onClick={confirm}>
              {label}
            </button>
            <button type="button" className="quiet" onClick={() => dialog.current?.close()}>
              Leave it
            </button>
          </>
        )}
      </dialog>
    </>
  )
}
