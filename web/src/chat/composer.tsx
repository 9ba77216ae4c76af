import { type FormEvent, type KeyboardEvent, type RefObject, useEffect } from 'react'
import type { Message } from './conversation-log.js'

interface Props {
  input: RefObject<HTMLTextAreaElement | null>
  replyTo: Message | null
  onCancelReply: () => void
  onTyping: (isTyping: boolean) => void
  onSend: (body: string) => void
}

export function Composer({ input, replyTo, onCancelReply, onTyping, onSend }: Props) {
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
    onTyping(false)
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
          Reply to {replyTo.sender?.name}: {replyTo.body}{' '}
          <button type="button" className="link" onClick={cancelReply}>
            Cancel
          </button>
        </p>
      )}
      <textarea
        ref={input}
        rows={1}
        aria-label="Message"
        placeholder="Write a message"
        onKeyDown={onKey}
        onChange={(event) => onTyping(event.target.value !== '')}
      />
      <button type="submit">Send</button>
    </form>
  )
}
