import { useSettings } from '../settings.js'
import { ConversationList } from './conversation-list.js'
import { ConversationView } from './conversation-view.js'
import { useInbox } from './use-inbox.js'

export function ChatPage({ conversationId }: { conversationId: string | null }) {
  const inbox = useInbox()
  const settings = useSettings()
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
          {settings?.development && (
            <p className="hint">
              <a href="/" target="_blank" rel="noopener">
                Open a second window
              </a>{' '}
              and sign in there as somebody else: what is said in one appears in the other.
            </p>
          )}
        </main>
      )}
    </div>
  )
}
