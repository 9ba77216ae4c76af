import { type FormEvent, memo, type RefObject, useCallback, useEffect, useRef, useState } from 'react'
import { DeleteMessageDocument, EditMessageDocument } from '../../../documents/generated.js'
import { Avatar } from '../parts/avatar.js'
import { Confirmed } from '../parts/confirmed.js'
import { Problem } from '../parts/problem.js'
import { clockTime, fullTime } from '../parts/time.js'
import { useSettings } from '../settings.js'
import { useAction, useConnection } from '../use-connection.js'
import type { Message } from './conversation-log.js'
import { StoredBytes } from './stored-bytes.js'
import type { Member } from './use-activity.js'

interface Props {
  message: Message
  /** Shown above the first message of a day. */
  day: string | null
  /** Shown above the first message under another key version than those before. */
  newKey: number | null
  /** What it replies to, where that is on the screen. */
  original: Message | null
  /** For whom it is the last one that was read. */
  readBy: readonly Member[]
  /** Whether the viewer may delete what others have sent. */
  moderates: boolean
  onReply: (message: Message) => void
}

export const MessageRow = memo(function MessageRow(props: Props) {
  const { message, day, newKey, original, readBy, moderates, onReply } = props
  const { session } = useConnection()
  const [isEditing, setEditing] = useState(false)
  const [showsStored, setShowsStored] = useState(false)
  const edit = useFocusAfter(isEditing)
  const [row, onDelete] = useFocusAfterDeletion(message.status === 'DELETED')
  const isOwn = message.sender?.id === session.userId
  const readers = readBy.filter(({ id }) => id !== session.userId && id !== message.sender?.id)
  return (
    <>
      {day && <li className="day">{day}</li>}
      {newKey !== null && <li className="key-change">From here on under key version {newKey}</li>}
      {message.kind === 'SYSTEM' ? (
        <li className="system">{message.body ?? UNREADABLE[message.status]}</li>
      ) : (
        <li
          ref={row}
          className={`message ${isOwn ? 'own' : ''}`}
          id={`m${message.sequence}`}
          {...(message.status === 'DELETED' && { tabIndex: -1 })}
        >
          {!isOwn && <Avatar name={message.sender?.name ?? '?'} id={message.sender?.id ?? ''} />}
          {!isOwn && <p className="sender">{message.sender?.name}</p>}
          {message.replyTo && <Quote sequence={message.replyTo.sequence} original={original} />}
          {isEditing ? <EditForm message={message} onDone={() => setEditing(false)} /> : <Body message={message} />}
          <div className="message-foot">
            <Meta message={message} />
            {!isEditing && (
              <Actions
                message={message}
                isOwn={isOwn}
                moderates={moderates}
                edit={edit}
                onReply={onReply}
                onEdit={() => setEditing(true)}
                onDelete={onDelete}
                showsStored={showsStored}
                onStored={() => setShowsStored(!showsStored)}
              />
            )}
          </div>
          {showsStored && <StoredBytes message={message} />}
        </li>
      )}
      {readers.length > 0 && <li className="read-by">Read by {readers.map(({ name }) => name).join(', ')}</li>}
    </>
  )
})

/** Whoever ends the editing is where they began it, also without a mouse (WCAG 2.4.3). */
function useFocusAfter(isEditing: boolean): RefObject<HTMLButtonElement | null> {
  const edit = useRef<HTMLButtonElement>(null)
  const wasEditing = useRef(false)
  useEffect(() => {
    if (wasEditing.current && !isEditing) edit.current?.focus()
    wasEditing.current = isEditing
  }, [isEditing])
  return edit
}

/** The button goes with the message: whoever pressed it is at what is left of it, and goes on from there. */
function useFocusAfterDeletion(isDeleted: boolean): [RefObject<HTMLLIElement | null>, () => void] {
  const row = useRef<HTMLLIElement>(null)
  const wasPressed = useRef(false)
  useEffect(() => {
    if (!isDeleted || !wasPressed.current) return
    wasPressed.current = false
    if (document.activeElement === document.body) row.current?.focus()
  }, [isDeleted])
  const press = useCallback(() => {
    wasPressed.current = true
  }, [])
  return [row, press]
}

function Meta({ message: { createdAt, editedAt, deletedAt, keyVersion } }: { message: Message }) {
  return (
    <p className="meta">
      <time dateTime={createdAt} title={fullTime(createdAt)}>
        {clockTime(createdAt)}
      </time>
      {editedAt && !deletedAt && <span title={`Edited ${fullTime(editedAt)}`}> · edited</span>}
      <span title="The key version that this message lies under"> · key {keyVersion}</span>
    </p>
  )
}

const UNREADABLE = {
  READABLE: '',
  DELETED: 'This message was deleted.',
  KEY_DESTROYED: 'The key of this message was destroyed. Nobody can read it any more.',
  UNREADABLE: 'This message cannot be opened at present.'
}

function Body({ message: { body, status } }: { message: Message }) {
  if (status === 'READABLE') return <p className="body">{body}</p>
  return <p className={`body unreadable unreadable-${status.toLowerCase()}`}>{UNREADABLE[status]}</p>
}

function Quote({ sequence, original }: { sequence: number; original: Message | null }) {
  return (
    <a className="quote" href={location.hash} onClick={() => document.getElementById(`m${sequence}`)?.scrollIntoView()}>
      {original
        ? `${original.sender?.name ?? ''}: ${original.body ?? UNREADABLE[original.status]}`
        : `Reply to #${sequence}`}
    </a>
  )
}

interface ActionsProps {
  message: Message
  isOwn: boolean
  moderates: boolean
  edit: RefObject<HTMLButtonElement | null>
  onReply: (message: Message) => void
  onEdit: () => void
  onDelete: () => void
  showsStored: boolean
  onStored: () => void
}

function Actions(props: ActionsProps) {
  const { message, isOwn, moderates, edit, onReply, onEdit, onDelete, showsStored, onStored } = props
  const connection = useConnection()
  const settings = useSettings()
  const [run, failure, isRunning] = useAction()
  const isReadable = message.status === 'READABLE'
  const remove = async () => {
    onDelete()
    await connection.run(DeleteMessageDocument, { messageId: message.id })
  }
  return (
    <div className="actions">
      {isReadable && (
        <button type="button" className="link" onClick={() => onReply(message)}>
          Reply
        </button>
      )}
      {isOwn && isReadable && (
        <>
          <button ref={edit} type="button" className="link" onClick={onEdit}>
            Edit
          </button>
          <button type="button" className="link" disabled={isRunning} onClick={() => void run(remove)}>
            Delete
          </button>
        </>
      )}
      {!isOwn && moderates && isReadable && (
        <Confirmed
          label="Delete"
          question={`Delete this message of ${message.sender?.name}?`}
          consequence="Nobody can read it any more, and it cannot be taken back. All members see that it was deleted."
          isLoss
          choice={<p className="quoted">“{message.body}”</p>}
          look="link"
          run={remove}
        />
      )}
      {settings?.development && (
        <button type="button" className="link" aria-expanded={showsStored} onClick={onStored}>
          What is stored
        </button>
      )}
      <Problem failure={failure} />
    </div>
  )
}

function EditForm({ message, onDone }: { message: Message; onDone: () => void }) {
  const connection = useConnection()
  const [run, failure, isRunning] = useAction()
  const input = useRef<HTMLTextAreaElement>(null)
  useEffect(() => input.current?.focus(), [])
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const body = String(new FormData(event.currentTarget).get('body'))
    void run(async () => {
      await connection.run(EditMessageDocument, { messageId: message.id, body })
      onDone()
    })
  }
  return (
    <form className="edit" onSubmit={submit}>
      <textarea
        ref={input}
        name="body"
        aria-label="Edited message"
        defaultValue={message.body ?? ''}
        rows={3}
        required
      />
      <Problem failure={failure} />
      <button type="submit" disabled={isRunning}>
        Save
      </button>
      <button type="button" className="quiet" onClick={onDone}>
        Cancel
      </button>
    </form>
  )
}
