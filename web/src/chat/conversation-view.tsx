import { useEffect, useEffectEvent, useRef, useState } from 'react'
import { type ListedConversationFragment, MarkReadDocument } from '../../../documents/generated.js'
import { mayRole } from '../../../src/membership/rights.js'
import { Problem } from '../parts/problem.js'
import { hrefOf } from '../route.js'
import { useConnection } from '../use-connection.js'
import { Composer } from './composer.js'
import type { ReplyTarget } from './drafts.js'
import { MembersPanel } from './members-panel.js'
import { MessageList } from './message-list.js'
import { useActivity } from './use-activity.js'
import { useConversationLog } from './use-conversation-log.js'
import { useKeyStates } from './use-key-states.js'

/** Messages that come together are marked together. */
const MARK_AFTER_MS = 400

interface Props {
  conversationId: string
  listed: ListedConversationFragment | null
  /** Something changed that the list of conversations shows. */
  onChange: () => Promise<void>
}

export function ConversationView({ conversationId, listed, onChange }: Props) {
  const { log, ended, loadOlder, send, retry, drop, reread } = useConversationLog(conversationId)
  const hasUnreadable = log.messages.some(({ status }) => status === 'UNREADABLE')
  const keys = useKeyStates(conversationId, hasUnreadable, reread)
  const activity = useActivity(conversationId)
  const composer = useRef<HTMLTextAreaElement>(null)
  const { begun, replyTo, setReplyTo, write } = useDraft(conversationId)
  const [showsMembers, setShowsMembers] = useState(false)
  const [isAtEnd, setAtEnd] = useState(true)
  const [seen, setSeen] = useState(0)
  const { reloadMembers } = activity
  const role = listed?.viewerRole ?? null
  // What is not listed any more keeps its name on the screen.
  const [title, setTitle] = useState<string | null>(null)
  if (listed && listed.title !== title) setTitle(listed.title)
  const comings = log.messages.filter(({ kind }) => kind === 'SYSTEM').length
  // biome-ignore lint/correctness/useExhaustiveDependencies: a system message says who came or went
  useEffect(() => void reloadMembers().catch(() => {}), [reloadMembers, comings])
  // What was in view stays seen when one scrolls up before it is marked.
  const last = log.messages.at(-1)?.sequence ?? 0
  if (isAtEnd && last > seen) setSeen(last)
  useReadMark(conversationId, seen, onChange)
  return (
    <main className="conversation">
      <header className="conversation-head">
        <a className="back" href={hrefOf({ view: 'chat', conversationId: null })}>
          ← <span className="for-readers">All conversations</span>
        </a>
        <h1>{title ?? 'Untitled conversation'}</h1>
        <button
          type="button"
          className="quiet"
          aria-expanded={showsMembers}
          onClick={() => setShowsMembers(!showsMembers)}
        >
          {activity.members.length} members
        </button>
        <a className="button quiet" href={hrefOf({ view: 'keys', conversationId })}>
          Keys {keys && <span className="key-chip">v{keys.activeKey.version}</span>}
        </a>
      </header>
      {showsMembers && <MembersPanel conversationId={conversationId} activity={activity} role={role} />}
      <Problem failure={ended} />
      <MessageList
        log={log}
        members={activity.members}
        moderates={role !== null && mayRole(role, 'delete messages')}
        onOlder={loadOlder}
        onReply={setReplyTo}
        onRetry={retry}
        onDrop={drop}
        onLeave={() => composer.current?.focus()}
        onAtEnd={setAtEnd}
      />
      <p className="typing" aria-live="polite">
        {typingText(activity.typing)}
      </p>
      {!ended && (
        <Composer
          input={composer}
          begun={begun}
          replyTo={replyTo}
          original={log.messages.find(({ id }) => id === replyTo?.id) ?? null}
          onCancelReply={() => setReplyTo(null)}
          onWrite={(body) => {
            write(body)
            activity.keepTyping(body !== '')
          }}
          onSend={(body) => {
            send(body, replyTo?.id ?? null)
            setReplyTo(null)
          }}
        />
      )}
    </main>
  )
}

/** What was begun here before, and is kept until the user signs out. */
function useDraft(conversationId: string) {
  const { drafts } = useConnection()
  const [begun] = useState(() => drafts.of(conversationId))
  const [replyTo, setTarget] = useState(begun.replyTo)
  const setReplyTo = (target: ReplyTarget | null) => setTarget(target && { id: target.id, sequence: target.sequence })
  useEffect(() => drafts.keep(conversationId, { replyTo }), [drafts, conversationId, replyTo])
  const write = (body: string) => drafts.keep(conversationId, { body })
  return { begun: begun.body, replyTo, setReplyTo, write }
}

/** What is on the screen of a window that is looked at was read, and whatever is above it. */
function useReadMark(conversationId: string, sequence: number, onChange: () => Promise<void>): void {
  const connection = useConnection()
  const marked = useRef(0)
  const mark = useEffectEvent(async (upTo: number, signal: AbortSignal) => {
    if (upTo <= marked.current || document.visibilityState !== 'visible') return
    await connection.persistently(() => connection.run(MarkReadDocument, { conversationId, sequence: upTo }), signal)
    marked.current = Math.max(marked.current, upTo)
    await connection.persistently(onChange, signal)
  })
  useEffect(() => {
    const left = new AbortController()
    const look = () => void mark(sequence, left.signal).catch(() => {})
    const soon = setTimeout(look, MARK_AFTER_MS)
    document.addEventListener('visibilitychange', look)
    return () => {
      left.abort()
      clearTimeout(soon)
      document.removeEventListener('visibilitychange', look)
    }
  }, [sequence])
}

function typingText(names: readonly string[]): string {
  if (names.length === 0) return ''
  if (names.length === 1) return `${names[0]} is typing…`
  return names.length === 2 ? `${names[0]} and ${names[1]} are typing…` : 'Several people are typing…'
}
