import { type FormEvent, useId, useState } from 'react'
import { CreateConversationDocument, type ListedConversationFragment } from '../../../documents/generated.js'
import { Avatar } from '../parts/avatar.js'
import { Problem } from '../parts/problem.js'
import { shortTime } from '../parts/time.js'
import { PEOPLE } from '../people.js'
import { goTo, hrefOf } from '../route.js'
import { useSettings } from '../settings.js'
import { useAction, useConnection } from '../use-connection.js'
import type { Inbox } from './use-inbox.js'

export function ConversationList({ inbox, openId }: { inbox: Inbox; openId: string | null }) {
  const [isCreating, setCreating] = useState(false)
  const settings = useSettings()
  const isEmpty = inbox.isLoaded && inbox.conversations.length === 0 && !isCreating
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
      {isEmpty && settings?.development && <FirstConversation inbox={inbox} />}
      {isEmpty && !settings?.development && <p className="hint">There are none yet.</p>}
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
        <Avatar name={title ?? '?'} id={id} />
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

/** In development there is somebody to talk to. */
function FirstConversation({ inbox }: { inbox: Inbox }) {
  const { session } = useConnection()
  const [create, failure, isRunning] = useCreate(inbox)
  const others = PEOPLE.filter(({ userId }) => userId !== session.userId)
  return (
    <div className="first">
      <p className="hint">There are none yet.</p>
      <button
        type="button"
        className="quiet"
        disabled={isRunning}
        onClick={() =>
          create(
            'Ward 3',
            others.map(({ userId }) => userId)
          )
        }
      >
        Begin one with {others.map(({ name }) => name).join(' and ')}
      </button>
      <Problem failure={failure} />
    </div>
  )
}

function useCreate(inbox: Inbox, onDone: () => void = () => {}) {
  const connection = useConnection()
  const [run, failure, isRunning] = useAction()
  const create = (title: string | null, memberIds: string[]) =>
    void run(async () => {
      const { createConversation } = await connection.run(CreateConversationDocument, { input: { title, memberIds } })
      const conversationId = createConversation.conversation.id
      await inbox.refresh(conversationId)
      onDone()
      goTo({ view: 'chat', conversationId })
    })
  return [create, failure, isRunning] as const
}

function NewConversation({ inbox, onDone }: { inbox: Inbox; onDone: () => void }) {
  const [create, failure, isRunning] = useCreate(inbox, onDone)
  const id = useId()
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget)
    const memberIds = String(fields.get('members'))
      .split(/[\s,]+/)
      .filter(Boolean)
    create(String(fields.get('title')).trim() || null, memberIds)
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
