import { createContext, useCallback, useContext, useEffect, useRef, useState } from 'react'
import {
  InboxDocument,
  InboxEntryDocument,
  InboxEventsDocument,
  type ListedConversationFragment
} from '../../../documents/generated.js'
import { pause } from '../connection.js'
import { type Failure, failureOf } from '../failure.js'
import { useConnection } from '../use-connection.js'

export interface Inbox {
  /** The latest activity first. */
  conversations: readonly ListedConversationFragment[]
  hasMore: boolean
  isLoaded: boolean
  failure: Failure | null
  loadMore(): Promise<void>
  /** Looks at one again: it was read, renamed or created here. */
  refresh(id: string): Promise<void>
}

const InboxContext = createContext<Inbox | null>(null)
export const InboxProvider = InboxContext.Provider

export function useInbox(): Inbox {
  const inbox = useContext(InboxContext)
  if (!inbox) throw new Error('nobody is signed in')
  return inbox
}

const PAGE = 30
const AGAIN_AFTER_MS = 5_000

/** The viewer's conversations, each looked at again when something happens in it; once for the whole console. */
export function useLiveInbox(): Inbox {
  const connection = useConnection()
  const [listed, setListed] = useState<ReadonlyMap<string, ListedConversationFragment>>(new Map())
  const [next, setNext] = useState<string | null>(null)
  const [isLoaded, setLoaded] = useState(false)
  const [failure, setFailure] = useState<Failure | null>(null)
  /** Where each conversation goes on after a lost connection. */
  const cursors = useRef(new Map<string, string>())
  /** Every page was read: a conversation without a cursor is one that was joined since. */
  const isComplete = useRef(false)

  const load = useCallback(
    async (after: string | null) => {
      const { conversations } = await connection.query(InboxDocument, { first: PAGE, after })
      const { nodes, pageInfo } = conversations
      if (after === null) cursors.current.clear()
      for (const { id, eventCursor } of nodes) if (!cursors.current.has(id)) cursors.current.set(id, eventCursor)
      setListed(
        (before) => new Map([...(after === null ? [] : before), ...nodes.map((node) => [node.id, node] as const)])
      )
      isComplete.current = !pageInfo.hasNextPage
      setNext(pageInfo.hasNextPage ? (pageInfo.endCursor ?? null) : null)
      setLoaded(true)
      setFailure(null)
    },
    [connection]
  )
  const refresh = useCallback(
    async (id: string) => {
      const { conversation } = await connection.query(InboxEntryDocument, { id })
      setListed((before) => {
        const after = new Map(before)
        if (conversation) after.set(id, conversation)
        else after.delete(id)
        return after
      })
    },
    [connection]
  )

  useEffect(() => {
    const left = new AbortController()
    const resume = () => [...cursors.current].map(([conversationId, after]) => ({ conversationId, after }))
    const follow = async () => {
      await connection.persistently(() => load(null), left.signal)
      // Of conversations on pages that were not read, the server would give the whole history.
      const end = await connection.follow(
        InboxEventsDocument,
        () => ({ resume: resume(), fromJoining: isComplete.current }),
        ({ inboxEvents: { cursor, message } }) => {
          cursors.current.set(message.conversation.id, cursor)
          void refresh(message.conversation.id).catch(() => {})
        },
        left.signal
      )
      setFailure(end)
    }
    const keepFollowing = async () => {
      while (!left.signal.aborted) {
        await follow()
        // A cursor may be of no use any more, as after a restoration: a fresh list has others.
        await pause(AGAIN_AFTER_MS, left.signal)
      }
    }
    void keepFollowing().catch((error: unknown) => left.signal.aborted || setFailure(failureOf(error)))
    return () => left.abort()
  }, [connection, load, refresh])

  return {
    conversations: [...listed.values()].sort((a, b) => activityOf(b).localeCompare(activityOf(a))),
    hasMore: next !== null,
    isLoaded,
    failure,
    loadMore: () => load(next),
    refresh
  }
}

function activityOf({ lastMessage, createdAt }: ListedConversationFragment): string {
  return lastMessage?.createdAt ?? createdAt
}
