import { useCallback, useEffect, useMemo, useState } from 'react'
import { ChatPage } from './chat/chat-page.js'
import { InboxProvider, useLiveInbox } from './chat/use-inbox.js'
import { Connection } from './connection.js'
import { KeysPage } from './keys/keys-page.js'
import { OperationsPage } from './operations/operations-page.js'
import { Avatar } from './parts/avatar.js'
import { hrefOf, useRoute } from './route.js'
import { type Session, storedSession, storeSession } from './session.js'
import { SettingsProvider, useServerSettings } from './settings.js'
import { SignIn } from './sign-in.js'
import { SignOut } from './sign-out.js'
import { Unsent } from './unsent.js'
import { ConnectionProvider, useConnection, useSocketState } from './use-connection.js'

const UNREACHABLE = 'The server cannot be reached. This page goes on when it is back.'

export function App() {
  const [session, setSession] = useState(storedSession)
  const [notice, setNotice] = useState<string | null>(null)
  const { settings, isUnreachable } = useServerSettings()
  const sign = useCallback((next: Session | null, why: string | null = null) => {
    storeSession(next)
    setSession(next)
    setNotice(why)
  }, [])
  const [unsent] = useState(() => new Unsent())
  const signOut = useCallback((why: string | null) => sign(null, why), [sign])
  return (
    <SettingsProvider value={settings}>
      {session ? (
        <SignedIn key={session.token} session={session} unsent={unsent} onSignOut={signOut} />
      ) : (
        <SignIn notice={isUnreachable ? UNREACHABLE : notice} onSignedIn={(next) => sign(next)} />
      )}
    </SettingsProvider>
  )
}

interface SignedInProps {
  session: Session
  unsent: Unsent
  onSignOut: (why: string | null) => void
}

function SignedIn({ session, unsent, onSignOut }: SignedInProps) {
  const connection = useMemo(
    () => new Connection(session, unsent, (waiting) => onSignOut(runOutText(waiting))),
    [session, unsent, onSignOut]
  )
  useEffect(() => () => connection.close(), [connection])
  return (
    <ConnectionProvider value={connection}>
      <Frame onSignOut={() => onSignOut(null)} />
    </ConnectionProvider>
  )
}

function runOutText(waiting: number): string {
  if (waiting === 0) return 'Your token has run out. Sign in again.'
  const messages = waiting === 1 ? '1 message waits' : `${waiting} messages wait`
  return `Your token has run out. Sign in again in this window: ${messages} to be sent.`
}

function Frame({ onSignOut }: { onSignOut: () => void }) {
  return (
    <InboxProvider value={useLiveInbox()}>
      <div className="frame">
        <Header onSignOut={onSignOut} />
        <Page />
      </div>
    </InboxProvider>
  )
}

function Header({ onSignOut }: { onSignOut: () => void }) {
  const { session } = useConnection()
  const route = useRoute()
  const at = (view: string) => (route.view === view ? { 'aria-current': 'page' as const } : {})
  return (
    <header className="bar">
      <a className="brand" aria-label="Conclave" href={hrefOf({ view: 'chat', conversationId: null })}>
        <img src="/icon.svg" alt="" width="24" height="24" />
        <span>Conclave</span>
      </a>
      <nav aria-label="Console">
        <a href={hrefOf({ view: 'chat', conversationId: null })} {...at('chat')}>
          Chat
        </a>
        {session.scopes.some((scope) => scope.startsWith('keys:')) && (
          <a href={hrefOf({ view: 'operations' })} {...at('operations')}>
            Operations
          </a>
        )}
      </nav>
      <SocketBadge />
      <span className="who" title={session.userId}>
        <Avatar name={session.name} id={session.userId} />
        <span className="name">{session.name}</span>
      </span>
      <SignOut onSignOut={onSignOut} />
    </header>
  )
}

const STATES = { IDLE: 'Connecting…', LIVE: 'Live', AWAY: 'Reconnecting…' }

function SocketBadge() {
  const state = useSocketState()
  return (
    <span className={`socket socket-${state.toLowerCase()}`} role="status">
      {STATES[state]}
    </span>
  )
}

function Page() {
  const route = useRoute()
  if (route.view === 'operations') return <OperationsPage />
  if (route.view === 'keys') return <KeysPage key={route.conversationId} conversationId={route.conversationId} />
  return <ChatPage conversationId={route.conversationId} />
}
