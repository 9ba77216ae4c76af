import { createContext, useCallback, useContext, useEffect, useEffectEvent, useMemo, useRef, useState } from 'react'
import {
  InboxDocument,
  InboxEntryDocument,
  InboxEventsDocument,
  type ListedConversationFragment
} from '../../../documents/generated.js'
import { pause } from '../connection.js'
import { type Failure, failureOf } from '../failure.js'
import { useConnection } from '../use-connection.js'
import { AnswerOrder } from './answer-order.js'
import { CatchUp } from './catch-up.js'
import { useMemberships } from './use-memberships.js'

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

  /** The socket over which memberships were told last. */
  const begunOver = useRef(0)
  const [order] = useState(() => new AnswerOrder())

  const take = useCallback(
    (nodes: readonly ListedConversationFragment[], isFresh: boolean, question: number) => {
      if (isFresh) cursors.current.clear()
      for (const { id, eventCursor } of nodes) if (!cursors.current.has(id)) cursors.current.set(id, eventCursor)
      const newest = new Set(nodes.filter(({ id }) => order.take(id, question)))
      setListed((before) => {
        const after = new Map(isFresh ? [] : before)
        for (const node of nodes) {
          const shown = newest.has(node) ? node : before.get(node.id)
          if (shown) after.set(node.id, shown)
        }
        return after
      })
    },
    [order]
  )
  const read = useCallback(
    async (after: string | null, isFresh: boolean) => {
      const question = order.ask()
      const { conversations } = await connection.query(InboxDocument, { first: PAGE, after })
      const { nodes, pageInfo } = conversations
      take(nodes, isFresh, question)
      return { nodes, next: pageInfo.hasNextPage ? (pageInfo.endCursor ?? null) : null }
    },
    [connection, take, order]
  )
  const load = useCallback(
    async (after: string | null) => {
      const page = await read(after, after === null)
      isComplete.current = page.next === null
      setNext(page.next)
      setLoaded(true)
      setFailure(null)
    },
    [read]
  )
  const catchUp = useMemo(
    () =>
      new CatchUp({
        cursors: () => cursors.current,
        read: (after) => read(after, false),
        persistently: (attempt, signal) => connection.persistently(attempt, signal)
      }),
    [connection, read]
  )
  useEffect(() => () => catchUp.end(), [catchUp])
  const refresh = useCallback(
    async (id: string) => {
      const question = order.ask()
      const { conversation } = await connection.query(InboxEntryDocument, { id })
      if (!order.take(id, question)) return
      if (!conversation) cursors.current.delete(id)
      setListed((before) => {
        const after = new Map(before)
        if (conversation) after.set(id, conversation)
        else after.delete(id)
        return after
      })
    },
    [connection, order]
  )

  const takeOut = useCallback(
    (id: string) => {
      // An answer that is under way may have it still.
      order.take(id, order.ask())
      cursors.current.delete(id)
      connection.drafts.drop(id)
      setListed((before) => new Map([...before].filter(([listed]) => listed !== id)))
    },
    [connection, order]
  )
  const failureOfMemberships = useMemberships(isLoaded, {
    known: () => [...listed.keys()],
    onBegin: () => {
      begunOver.current = connection.sockets()
      catchUp.begin()
    },
    onJoined: refresh,
    onLeft: takeOut,
    onRead: async (id) => {
      if (listed.has(id)) await refresh(id)
    }
  })

  const noteResumption = useEffectEvent(() => {
    const haveBegun = connection.state() === 'LIVE' && begunOver.current === connection.sockets()
    if (haveBegun || failureOfMemberships) catchUp.begin()
    // Memberships will begin over the same socket as this, and then it is looked for.
    else catchUp.note()
  })

  useEffect(() => {
    const left = new AbortController()
    const resume = () => [...cursors.current].map(([conversationId, after]) => ({ conversationId, after }))
    const follow = async () => {
      await connection.persistently(() => load(null), left.signal)
      let attempts = 0
      // Of conversations on pages that were not read, the server would give the whole history.
      const end = await connection.follow(
        InboxEventsDocument,
        () => {
          if (attempts++ > 0) noteResumption()
          return { resume: resume(), fromJoining: isComplete.current }
        },
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
    failure: failure ?? failureOfMemberships,
    loadMore: () => load(next),
    refresh
  }
}

function activityOf({ lastMessage, createdAt }: ListedConversationFragment): string {
  return lastMessage?.createdAt ?? createdAt
}
