import { useEffect, useRef, useState } from 'react'
import type { Pending } from './chat/conversation-log.js'
import { useConnection } from './use-connection.js'

/** Of what would be lost, so much is quoted. */
const QUOTED = 5

/** Messages that were not sent are in this window only, and end with the session: nobody gives them up without being asked. */
export function SignOut({ onSignOut }: { onSignOut: () => void }) {
  const connection = useConnection()
  const dialog = useRef<HTMLDialogElement>(null)
  const [unsent, setUnsent] = useState<readonly Pending[]>([])
  const ask = () => {
    const now = connection.unsent()
    if (now.length === 0) return onSignOut()
    setUnsent(now)
    dialog.current?.showModal()
  }
  useEffect(() => {
    // A window that is closed or loaded anew gives them up as well: the browser asks, in its own words.
    const hold = (event: BeforeUnloadEvent) => connection.unsent().length > 0 && event.preventDefault()
    addEventListener('beforeunload', hold)
    return () => removeEventListener('beforeunload', hold)
  }, [connection])
  const messages = unsent.length === 1 ? '1 message that was' : `${unsent.length} messages that were`
  return (
    <>
      <button type="button" className="quiet" onClick={ask}>
        Sign out
      </button>
      <dialog ref={dialog} aria-label="Sign out" onClose={() => setUnsent([])}>
        {unsent.length > 0 && (
          <>
            <h2>Sign out and lose {messages} not sent?</h2>
            <ul className="lost unsent">
              {unsent.slice(0, QUOTED).map(({ clientMessageId, body, refusal }) => (
                <li key={clientMessageId}>
                  <span className="said">“{body}”</span>
                  <span className="hint">{refusal === null ? 'waits to be sent' : `refused: ${refusal}`}</span>
                </li>
              ))}
              {unsent.length > QUOTED && <li className="hint">and {unsent.length - QUOTED} more</li>}
            </ul>
            <div className="choices">
              <button type="button" className="danger" onClick={onSignOut}>
                Sign out and lose them
              </button>
              <button type="button" className="quiet" onClick={() => dialog.current?.close()}>
                Stay
              </button>
            </div>
          </>
        )}
      </dialog>
    </>
  )
}
