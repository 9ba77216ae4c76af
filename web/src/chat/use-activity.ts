import { useCallback, useEffect, useRef, useState } from 'react'
import { ActivityDocument, MembersDocument, SetTypingDocument } from '../../../documents/generated.js'
import { useConnection } from '../use-connection.js'

/** As long as a member types, the others are told so again. */
const TYPING_EVERY_MS = 3_000

export interface Member {
  id: string
  name: string
  role: string
  lastRead: number
}

export interface ConversationActivity {
  /** Names of those who type at this moment. */
  typing: readonly string[]
  members: readonly Member[]
  reloadMembers(): Promise<void>
  /** To be called with every key that is pressed. */
  keepTyping(isTyping: boolean): void
}

export function useActivity(conversationId: string): ConversationActivity {
  const connection = useConnection()
  const [typing, setTyping] = useState<ReadonlyMap<string, string>>(new Map())
  const [members, setMembers] = useState<readonly Member[]>([])
  const toldAt = useRef(0)

  const reloadMembers = useCallback(async () => {
    const { conversation } = await connection.query(MembersDocument, { id: conversationId, first: 200 })
    const nodes = conversation?.members.nodes ?? []
    setMembers(nodes.map(({ user, role, lastReadSequence }) => ({ ...user, role, lastRead: lastReadSequence })))
  }, [connection, conversationId])

  useEffect(() => {
    const left = new AbortController()
    void connection.follow(
      ActivityDocument,
      () => {
        // What was said while nobody listened is not said again.
        setTyping(new Map())
        void reloadMembers().catch(() => {})
        return { conversationId }
      },
      ({ activity }) => {
        if (activity.__typename === 'TypingActivity') setTyping((before) => changed(before, activity))
        else setMembers((before) => before.map((member) => readUpTo(member, activity)))
      },
      left.signal
    )
    return () => left.abort()
  }, [connection, conversationId, reloadMembers])

  const keepTyping = useCallback(
    (isTyping: boolean) => {
      const now = performance.now()
      if (isTyping ? now - toldAt.current < TYPING_EVERY_MS : toldAt.current === 0) return
      toldAt.current = isTyping ? now : 0
      void connection.run(SetTypingDocument, { conversationId, typing: isTyping }).catch(() => {})
    },
    [connection, conversationId]
  )

  return { typing: [...typing.values()], members, reloadMembers, keepTyping }
}

function changed(
  before: ReadonlyMap<string, string>,
  { user, typing }: { user: { id: string; name: string }; typing: boolean }
): ReadonlyMap<string, string> {
  const after = new Map(before)
  if (typing) after.set(user.id, user.name)
  else after.delete(user.id)
  return after
}

function readUpTo(member: Member, { user, sequence }: { user: { id: string }; sequence: number }): Member {
  return member.id === user.id ? { ...member, lastRead: Math.max(member.lastRead, sequence) } : member
}
