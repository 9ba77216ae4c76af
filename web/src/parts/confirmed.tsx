import { type ReactNode, useRef, useState } from 'react'
import { useAction } from '../use-connection.js'
import { Problem } from './problem.js'

interface ConfirmedProps {
  label: string
  question: string
  consequence: string
  /** Something cannot be read afterwards. */
  isLoss?: boolean
  choice?: ReactNode
  /** Of the button that asks. */
  look?: 'quiet' | 'link'
  run: () => Promise<unknown>
  onDone?: () => Promise<void>
}

/** A button that asks before it does something, and says what that costs. */
export function Confirmed(props: ConfirmedProps) {
  const { label, question, consequence, isLoss = false, choice, look = 'quiet', run, onDone } = props
  const dialog = useRef<HTMLDialogElement>(null)
  const [act, failure, isRunning] = useAction()
  const [isOpen, setOpen] = useState(false)
  const confirm = () =>
    void act(async () => {
      await run()
      dialog.current?.close()
      await onDone?.()
    })
  return (
    <>
      <button
        type="button"
        className={look}
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
            <p className={isLoss ? 'lost' : ''}>{consequence}</p>
            {choice}
            <Problem failure={failure} />
            <div className="choices">
              <button type="button" className={isLoss ? 'danger' : ''} disabled={isRunning} onClick={confirm}>
                {label}
              </button>
              <button type="button" className="quiet" onClick={() => dialog.current?.close()}>
                Leave it
              </button>
            </div>
          </>
        )}
      </dialog>
    </>
  )
}
