import { type FormEvent, useId, useState } from 'react'
import { CreateConversationDocument, type ListedConversationFragment } from '../../../documents/generated.js'
import { Problem } from '../parts/problem.js'
import { shortTime } from '../parts/time.js'
import { goTo, hrefOf } from '../route.js'
import { useAction, useConnection } from '../use-connection.js'
import type { Inbox } from './use-inbox.js'

export function ConversationList({ inbox, openId }: { inbox: Inbox; openId: string | null }) {
  const [isCreating, setCreating] = useState(false)
  return (
    <nav className="conversations" aria-label="Conversations">
      <div className="list-head">
        <h2>Conversations</h2>
        <button type="button" aria-expanded={isCreating} onClick={() => setCreating(!isCreating)}>
          New
        </button>
      </div>
      {isCreating && <NewConversation inbox={inbox} onDone={() => setCreating(false)} />}
      <Problem failure={inbox.failure} />
      {inbox.isLoaded && inbox.conversations.length === 0 && <p className="hint">There are none yet.</p>}
      <ul>
        {inbox.conversations.map((conversation) => (
          <Entry key={conversation.id} conversation={conversation} isOpen={conversation.id === openId} />
        ))}
      </ul>
      {inbox.hasMore && (
        <button type="button" className="quiet" onClick={() => void inbox.loadMore().catch(() => {})}>
          Show more
        </button>
      )}
    </nav>
  )
}

function Entry({ conversation, isOpen }: { conversation: ListedConversationFragment; isOpen: boolean }) {
  const { id, title, unreadCount, lastMessage, createdAt } = conversation
  return (
    <li>
      <a href={hrefOf({ view: 'chat', conversationId: id })} {...(isOpen ? { 'aria-current': 'true' as const } : {})}>
        <span className="entry-title">{title ?? 'Untitled conversation'}</span>
        <time dateTime={lastMessage?.createdAt ?? createdAt}>{shortTime(lastMessage?.createdAt ?? createdAt)}</time>
        <span className="entry-text">{lastMessage ? preview(lastMessage) : 'Nothing was said yet.'}</span>
        {unreadCount > 0 && (
          <span className="unread" title={`${unreadCount} unread`}>
            {unreadCount > 99 ? '99+' : unreadCount}
            <span className="for-readers"> unread</span>
          </span>
        )}
      </a>
    </li>
  )
}

function preview(message: NonNullable<ListedConversationFragment['lastMessage']>): string {
  if (message.status !== 'READABLE') return message.status === 'DELETED' ? 'Message deleted' : 'Cannot be read'
  return message.sender ? `${message.sender.name}: ${message.body}` : (message.body ?? '')
}

function NewConversation({ inbox, onDone }: { inbox: Inbox; onDone: () => void }) {
  const connection = useConnection()
  const [run, failure, isRunning] = useAction()
  const id = useId()
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget)
    const title = String(fields.get('title')).trim() || null
    const memberIds = String(fields.get('members'))
      .split(/[\s,]+/)
      .filter(Boolean)
    void run(async () => {
      const { createConversation } = await connection.run(CreateConversationDocument, { input: { title, memberIds } })
      const conversationId = createConversation.conversation.id
      await inbox.refresh(conversationId)
      onDone()
      goTo({ view: 'chat', conversationId })
    })
  }
  return (
    <form className="new-conversation" onSubmit={submit}>
      <label htmlFor={`${id}t`}>Title</label>
      <input id={`${id}t`} name="title" placeholder="Ward 3, Mrs Lang" />
      <label htmlFor={`${id}m`}>Members, by user id</label>
      <input id={`${id}m`} name="members" placeholder="bob, carol" autoCapitalize="off" />
      <Problem failure={failure} />
      <button type="submit" disabled={isRunning}>
        {isRunning ? 'Creating…' : 'Create'}
      </button>
    </form>
  )
}
