import { type FormEvent, type KeyboardEvent, type RefObject, useEffect } from 'react'
import type { Message } from './conversation-log.js'
import type { ReplyTarget } from './drafts.js'

interface Props {
  input: RefObject<HTMLTextAreaElement | null>
  /** What was begun before. */
  begun: string
  replyTo: ReplyTarget | null
  /** What is replied to, as it is now; null where it was not read. */
  original: Message | null
  onCancelReply: () => void
  /** With everything that is in it, after each key. */
  onWrite: (body: string) => void
  onSend: (body: string) => void
}

export function Composer({ input, begun, replyTo, original, onCancelReply, onWrite, onSend }: Props) {
  useEffect(() => {
    if (replyTo) input.current?.focus()
  }, [replyTo, input])
  const cancelReply = () => {
    input.current?.focus()
    onCancelReply()
  }
  const send = () => {
    const body = input.current?.value ?? ''
    if (body.trim() === '' || !input.current) return
    onSend(body)
    onWrite('')
    input.current.value = ''
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    send()
  }
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && replyTo) onCancelReply()
    // An input method uses Enter for itself.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    send()
  }
  return (
    <form className="composer" onSubmit={submit}>
      {replyTo && (
        <p className="replying">
          Reply to{' '}
          {original ? `${original.sender?.name}: ${original.body ?? 'a message without text'}` : `#${replyTo.sequence}`}{' '}
          <button type="button" className="link" onClick={cancelReply}>
            Cancel
          </button>
        </p>
      )}
      <textarea
        ref={input}
        rows={1}
        aria-label="Message"
        defaultValue={begun}
        placeholder="Write a message"
        onKeyDown={onKey}
        onChange={(event) => onWrite(event.target.value)}
      />
      <button type="submit">Send</button>
    </form>
  )
}
