import { useState } from 'react'
import {
  ConversationKeyPolicyDocument,
  ConversationKeysDocument,
  type KeyFieldsFragment,
  KeyPolicyDocument,
  type KeyPolicyFieldsFragment,
  KeysDocument,
  type MemberRole,
  RotateKeyDocument
} from '../../../documents/generated.js'
import { useInbox } from '../chat/use-inbox.js'
import type { Connection } from '../connection.js'
import { Problem } from '../parts/problem.js'
import { hrefOf } from '../route.js'
import { useAction, useConnection, useLoaded } from '../use-connection.js'
import { allVersions } from './all-versions.js'
import { KeyActions } from './key-actions.js'
import { KeyTable } from './key-table.js'
import { KeyTimeline } from './key-timeline.js'
import { PolicyEditor } from './policy-editor.js'

/** Rotations and destructions by others, and by the worker. */
const LOOK_EVERY_MS = 3_000

export function KeysPage({ conversationId }: { conversationId: string }) {
  const connection = useConnection()
  const title = useInbox().conversations.find(({ id }) => id === conversationId)?.title
  const [chosen, setChosen] = useState<number | null>(null)
  const keys = useLoaded(
    async () => await keysOf(connection, conversationId),
    [connection, conversationId],
    LOOK_EVERY_MS
  )
  const { data: shown, ...policy } = useLoaded(
    async () => await policyOf(connection, conversationId),
    [connection, conversationId]
  )
  const isAdmin = connection.session.scopes.includes('keys:admin')
  const mayChange = isAdmin || shown?.viewerRole === 'OWNER'
  const versions = keys.data ?? []
  const version = versions.find((key) => key.version === chosen) ?? null
  return (
    <main className="page">
      <header className="page-head">
        <WayBack conversationId={conversationId} isMember={shown?.viewerRole !== null} />
        <h1>{title ? `Keys of “${title}”` : 'Keys of this conversation'}</h1>
        {mayChange && <RotateNow conversationId={conversationId} onRotated={keys.reload} />}
      </header>
      <Problem failure={keys.failure ?? policy.failure} />
      {versions.length > 0 && (
        <>
          <KeyTimeline keys={versions} chosen={chosen} onChoose={setChosen} />
          <KeyTable keys={versions} chosen={chosen} onChoose={setChosen} />
        </>
      )}
      {version && (
        <KeyDetail key={version.version} version={version}>
          {isAdmin && <KeyActions conversationId={conversationId} version={version} onChange={keys.reload} />}
        </KeyDetail>
      )}
      {shown && (
        <PolicyEditor
          conversationId={conversationId}
          policy={shown.keyPolicy}
          keys={versions}
          mayChange={mayChange}
          onChange={async () => {
            await policy.reload()
            await keys.reload()
          }}
        />
      )}
    </main>
  )
}

/** Auditors and administrators see the keys of conversations that they are not in, and their policies. */
function seesAny({ session }: Connection): boolean {
  return session.scopes.some((scope) => scope.startsWith('keys:'))
}

async function keysOf(connection: Connection, id: string): Promise<KeyFieldsFragment[]> {
  return await allVersions(async (page) => {
    if (seesAny(connection)) {
      return (await connection.query(ConversationKeysDocument, { conversationId: id, ...page })).conversationKeys
    }
    return (await connection.query(KeysDocument, { id, ...page })).conversation?.keys ?? []
  })
}

interface ShownPolicy {
  keyPolicy: KeyPolicyFieldsFragment
  /** Null for whoever is not in the conversation. */
  viewerRole: MemberRole | null
}

async function policyOf(connection: Connection, id: string): Promise<ShownPolicy | null> {
  const { conversation } = await connection.query(KeyPolicyDocument, { id })
  if (conversation || !seesAny(connection)) return conversation
  const { conversationKeyPolicy } = await connection.query(ConversationKeyPolicyDocument, { conversationId: id })
  return conversationKeyPolicy && { keyPolicy: conversationKeyPolicy, viewerRole: null }
}

/** Who is not in the conversation has come from the audit trail. */
function WayBack({ conversationId, isMember }: { conversationId: string; isMember: boolean }) {
  if (!isMember) return <a href={hrefOf({ view: 'operations' })}>← Operations</a>
  return <a href={hrefOf({ view: 'chat', conversationId })}>← Back to the conversation</a>
}

function RotateNow({ conversationId, onRotated }: { conversationId: string; onRotated: () => Promise<void> }) {
  const connection = useConnection()
  const [run, failure, isRunning] = useAction()
  const rotate = () =>
    void run(async () => {
      await connection.run(RotateKeyDocument, { conversationId })
      await onRotated()
    })
  return (
    <div>
      <button type="button" disabled={isRunning} onClick={rotate}>
        {isRunning ? 'Rotating…' : 'Rotate now'}
      </button>
      <Problem failure={failure} />
    </div>
  )
}

function KeyDetail({ version, children }: { version: KeyFieldsFragment; children: React.ReactNode }) {
  return (
    <section className="card" aria-label={`Version ${version.version}`}>
      <h2>Version {version.version}</h2>
      <dl className="facts">
        <dt>Algorithm</dt>
        <dd>
          {version.algorithm}, {version.modulusBits} bits
        </dd>
        <dt>Fingerprint</dt>
        <dd>
          <code>{version.fingerprint}</code>
        </dd>
        {version.masterKey && (
          <>
            <dt>Wrapped under</dt>
            <dd>
              <code>{version.masterKey}</code>
            </dd>
          </>
        )}
      </dl>
      <details>
        <summary>Public key</summary>
        <pre>{version.publicKeyPem}</pre>
      </details>
      {children}
    </section>
  )
}
