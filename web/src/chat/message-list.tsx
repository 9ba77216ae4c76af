import { useEffect, useLayoutEffect, useRef } from 'react'
import { dayOf, onDay } from '../parts/time.js'
import { useConnection } from '../use-connection.js'
import { type ConversationLog, type Message, type Pending, shownPending } from './conversation-log.js'
import { MessageRow } from './message-row.js'
import type { Member } from './use-activity.js'

interface Props {
  log: ConversationLog
  members: readonly Member[]
  /** Whether the viewer may delete what others have sent. */
  moderates: boolean
  onOlder: () => Promise<void>
  onReply: (message: Message) => void
  onRetry: (pending: Pending) => void
  onDrop: (pending: Pending) => void
  /** Who was at what was not sent is where the next message is written. */
  onLeave: () => void
  /** Whether the last messages are in view. */
  onAtEnd: (isAtEnd: boolean) => void
}

/** Nearer to the end than this, one is taken to be at the end, and stays there. */
const AT_END_PX = 80

export function MessageList(props: Props) {
  const { log, members, moderates, onOlder, onReply, onRetry, onDrop, onLeave, onAtEnd } = props
  const { session } = useConnection()
  const { messages } = log
  const list = useStayingInPlace(log, onAtEnd)
  const top = useOlderInTime(onOlder, log.isLoaded && log.before !== null)
  const byId = new Map(messages.map((message) => [message.id, message]))
  return (
    <div className="messages" ref={list} role="log" aria-label="Messages" aria-busy={!log.isLoaded}>
      <div ref={top} className="messages-top">
        {!log.isLoaded && 'Loading…'}
        {log.isLoaded && log.before === null && <span className="hint">This is where the conversation begins.</span>}
      </div>
      <ol>
        {messages.map((message, index) => (
          <MessageRow
            key={message.id}
            message={message}
            day={
              dayOf(messages[index - 1]?.createdAt ?? '') === dayOf(message.createdAt) ? null : onDay(message.createdAt)
            }
            newKey={keyChange(messages[index - 1], message)}
            original={message.replyTo ? (byId.get(message.replyTo.id) ?? null) : null}
            readBy={members.filter(({ lastRead }) => lastRead === message.sequence)}
            moderates={moderates}
            onReply={onReply}
          />
        ))}
        {shownPending(log, session.userId).map((one) => (
          <PendingRow key={one.clientMessageId} pending={one} onRetry={onRetry} onDrop={onDrop} onLeave={onLeave} />
        ))}
      </ol>
    </div>
  )
}

interface PendingProps extends Pick<Props, 'onRetry' | 'onDrop' | 'onLeave'> {
  pending: Pending
}

function PendingRow({ pending, onRetry, onDrop, onLeave }: PendingProps) {
  const row = useRef<HTMLLIElement>(null)
  // The button that was pressed goes with what it did: the focus leaves it before.
  const retry = () => {
    onLeave()
    onRetry(pending)
  }
  const drop = () => {
    const next = row.current?.nextElementSibling?.querySelector('button')
    if (next) next.focus()
    else onLeave()
    onDrop(pending)
  }
  return (
    <li ref={row} className="message own pending">
      <p className="body">{pending.body}</p>
      <p
        className={pending.refusal === null ? 'meta' : 'meta problem'}
        role={pending.refusal === null ? undefined : 'alert'}
      >
        {pending.refusal === null ? 'Sending…' : `Not sent: ${pending.refusal}`}{' '}
        {pending.refusal !== null && (
          <>
            <button type="button" className="link" onClick={retry}>
              Try again
            </button>{' '}
          </>
        )}
        <button type="button" className="link" onClick={drop}>
          Discard
        </button>
      </p>
    </li>
  )
}

/** @returns the version, where it is another than that of the message before */
function keyChange(before: Message | undefined, { keyVersion }: Message): number | null {
  return before && before.keyVersion !== keyVersion ? keyVersion : null
}

/** Whoever is at the end stays there; whoever reads further up keeps the line in view when older ones come above it. */
function useStayingInPlace({ messages, pending }: ConversationLog, onAtEnd: (isAtEnd: boolean) => void) {
  const list = useRef<HTMLDivElement>(null)
  const before = useRef({ first: '', height: 0, isAtEnd: true })
  useEffect(() => {
    const element = list.current
    if (!element) return
    const note = () => {
      const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < AT_END_PX
      if (isAtEnd !== before.current.isAtEnd) onAtEnd(isAtEnd)
      before.current.isAtEnd = isAtEnd
    }
    // A row may grow or shrink by itself, as a form opens in it, and so may the window.
    const measure = new ResizeObserver(() => {
      if (before.current.isAtEnd) element.scrollTop = element.scrollHeight
      before.current.height = element.scrollHeight
      note()
    })
    for (const part of [element, ...element.children]) measure.observe(part)
    element.addEventListener('scroll', note, { passive: true })
    return () => {
      measure.disconnect()
      element.removeEventListener('scroll', note)
    }
  }, [onAtEnd])
  const first = messages[0]?.id ?? ''
  // biome-ignore lint/correctness/useExhaustiveDependencies: with every message that comes
  useLayoutEffect(() => {
    const element = list.current
    if (!element) return
    const { first: firstBefore, height, isAtEnd } = before.current
    if (isAtEnd) element.scrollTop = element.scrollHeight
    else if (first !== firstBefore) element.scrollTop += element.scrollHeight - height
    before.current = { first, height: element.scrollHeight, isAtEnd }
  }, [first, messages, pending])
  return list
}

/** Asks for the page before as soon as the top comes near. */
function useOlderInTime(onOlder: () => Promise<void>, hasOlder: boolean) {
  const top = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = top.current
    if (!element || !hasOlder) return
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting) void onOlder()
      },
      { root: element.parentElement, rootMargin: '600px 0px 0px 0px' }
    )
    observer.observe(element)
    return () => observer.disconnect()
  }, [onOlder, hasOlder])
  return top
}
