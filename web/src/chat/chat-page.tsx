import { hrefOf } from '../route.js'
import { ConversationList } from './conversation-list.js'
import { ConversationView } from './conversation-view.js'
import { useInbox } from './use-inbox.js'

export function ChatPage({ conversationId }: { conversationId: string | null }) {
  const inbox = useInbox()
  const open = inbox.conversations.find(({ id }) => id === conversationId)
  return (
    <div className={`chat ${conversationId ? 'chat-open' : ''}`}>
      <ConversationList inbox={inbox} openId={conversationId} />
      {conversationId ? (
        <ConversationView
          key={conversationId}
          conversationId={conversationId}
          listed={open ?? null}
          onChange={() => inbox.refresh(conversationId)}
        />
      ) : (
        <main className="nothing">
          <p>Choose a conversation, or begin one.</p>
          <p className="hint">
            In another window, sign in as somebody else:{' '}
            <a href={hrefOf({ view: 'chat', conversationId: null })}>here</a> messages appear as they are sent.
          </p>
        </main>
      )}
    </div>
  )
}
