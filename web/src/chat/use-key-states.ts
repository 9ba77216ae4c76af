import { useEffect, useEffectEvent, useRef, useState } from 'react'
import { KeyStatesDocument, type KeyStatesQuery } from '../../../documents/generated.js'
import type { Connection } from '../connection.js'
import { allVersions } from '../keys/all-versions.js'
import { useConnection, useLoaded } from '../use-connection.js'
import { Patience } from './patience.js'

const LOOK_EVERY_MS = 3_000
/** Five minutes. */
const LOOKS_MOST = 100

export type KeyStates = NonNullable<KeyStatesQuery['conversation']>

async function keyStatesOf(connection: Connection, id: string): Promise<KeyStates | null> {
  let conversation: KeyStates | null = null
  const keys = await allVersions(async (page) => {
    conversation = (await connection.query(KeyStatesDocument, { id, ...page })).conversation
    return conversation?.keys ?? []
  })
  return conversation && { ...(conversation as KeyStates), keys }
}

/**
 * Where the keys of a conversation stand. There is no subscription to that, so it is looked at again and again.
 *
 * @param hasUnreadable something is shown that cannot be opened at present: it is looked at again until it can, ever
 *   more seldom, since it may be so for good
 * @param onChange a version is in another state than before: messages may have become unreadable, or readable again
 */
export function useKeyStates(
  conversationId: string,
  hasUnreadable: boolean,
  onChange: () => Promise<void>
): KeyStates | null {
  const connection = useConnection()
  const { data } = useLoaded(
    async () => await keyStatesOf(connection, conversationId),
    [connection, conversationId],
    LOOK_EVERY_MS
  )
  const before = useRef<string | null>(null)
  const [patience] = useState(() => new Patience(LOOKS_MOST))
  const look = useEffectEvent(async (states: string) => {
    const hasChanged = before.current !== null && before.current !== states
    if (hasChanged || !hasUnreadable) patience.reset()
    if (hasChanged || (hasUnreadable && patience.isTime())) await onChange()
    // After it has succeeded: otherwise the next look tries it again.
    before.current = states
  })
  useEffect(() => {
    if (data) void look(data.keys.map(({ version, state }) => `${version} ${state}`).join()).catch(() => {})
  }, [data])
  return data
}
