import { useCallback, useEffect, useReducer, useRef, useState } from 'react'
import { MessageEventsDocument, MessagesDocument, type MessagesQuery } from '../../../documents/generated.js'
import { type Failure, failureOf } from '../failure.js'
import { useConnection } from '../use-connection.js'
import { type ConversationLog, changeLog, emptyLog, type Pending } from './conversation-log.js'

const PAGE = 50
const MOST_AT_ONCE = 200

export interface OpenConversation {
  log: ConversationLog
  /** Why it cannot be read, or not any more. */
  ended: Failure | null
  loadOlder(): Promise<void>
  send(body: string, replyToId: string | null): void
  retry(pending: Pending): void
  drop(pending: Pending): void
  /** Reads what is shown once more: keys have moved, of which no event tells. */
  reread(): Promise<void>
}

/**
 * The log of a conversation: its last page and the cursor that belongs to it, then every change from there on, each
 * in the place of what was there under its id. A lost connection is followed by another from the last cursor.
 */
export function useConversationLog(conversationId: string): OpenConversation {
  const connection = useConnection()
  const [log, change] = useReducer(changeLog, emptyLog)
  const [ended, setEnded] = useState<Failure | null>(null)
  const loading = useRef(false)
  const life = useRef(new AbortController())
  const [opening, openAnew] = useReducer((count: number) => count + 1, 0)

  // biome-ignore lint/correctness/useExhaustiveDependencies: with every opening
  useEffect(() => {
    const left = new AbortController()
    life.current = left
    const follow = async () => {
      const page = () => connection.query(MessagesDocument, { id: conversationId, last: PAGE })
      const { conversation } = await connection.persistently(page, left.signal)
      if (!conversation)
        return setEnded({ code: 'NOT_FOUND', message: 'There is no such conversation.', retryAfterMs: null })
      if (left.signal.aborted) return
      change({ type: 'OPENED', ...pageOf(conversation.messages) })
      let after = conversation.eventCursor
      let attempts = 0
      const end = await connection.follow(
        MessageEventsDocument,
        () => {
          attempts += 1
          return { conversationId, after }
        },
        ({ messageEvents: { cursor, message } }) => {
          change({ type: 'CHANGED', message })
          after = cursor
        },
        left.signal
      )
      if (left.signal.aborted) return
      // A cursor from before a restoration lies ahead. The first one, which was given a moment ago, does not.
      if (end?.code === 'BAD_USER_INPUT' && attempts > 1) openAnew()
      else setEnded(end ?? { code: null, message: 'This conversation was deleted.', retryAfterMs: null })
    }
    void follow().catch((error: unknown) => left.signal.aborted || setEnded(failureOf(error)))
    return () => left.abort()
  }, [connection, conversationId, opening])

  const { before } = log
  const loadOlder = useCallback(async () => {
    if (before === null || loading.current) return
    loading.current = true
    const { signal } = life.current
    const page = () => connection.query(MessagesDocument, { id: conversationId, last: PAGE, before })
    try {
      // Nobody asks again: the top stays in view, and is noticed once.
      const { conversation } = await connection.persistently(page, signal)
      if (conversation && !signal.aborted) change({ type: 'OLDER', ...pageOf(conversation.messages) })
    } catch {
      // It was refused: what follows the log is refused as well, and says why.
    } finally {
      loading.current = false
    }
  }, [connection, conversationId, before])

  const { messages } = log
  const first = messages[0]?.sequence ?? 0
  const reread = useCallback(async () => {
    let before: string | null = null
    do {
      const variables = { id: conversationId, last: MOST_AT_ONCE, before }
      const { conversation }: MessagesQuery = await connection.query(MessagesDocument, variables)
      if (!conversation) return
      const page = pageOf(conversation.messages)
      change({ type: 'REREAD', messages: page.messages })
      before = (page.messages[0]?.sequence ?? 0) > first ? page.before : null
    } while (before !== null)
  }, [connection, conversationId, first])

  const outbox = connection.outboxOf(conversationId)
  useEffect(() => outbox.watch(change), [outbox])

  return {
    log,
    ended,
    loadOlder,
    reread,
    send: (body, replyToId) => outbox.post({ clientMessageId: newId(), body, replyToId, refusal: null }),
    retry: (pending) => outbox.post(pending),
    drop: (pending) => outbox.drop(pending)
  }
}

/** `randomUUID` is there over https and on localhost only. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

interface Page {
  pageInfo: { hasPreviousPage: boolean; startCursor: string | null }
  edges: { node: ConversationLog['messages'][number] }[]
}

function pageOf({ pageInfo, edges }: Page): Pick<ConversationLog, 'messages' | 'before'> {
  return {
    messages: edges.map(({ node }) => node),
    before: pageInfo.hasPreviousPage ? pageInfo.startCursor : null
  }
}
