import { useEffect, useRef } from 'react'
import { KeyStatesDocument, type KeyStatesQuery } from '../../../documents/generated.js'
import { useConnection, useLoaded } from '../use-connection.js'

const LOOK_EVERY_MS = 3_000

export type KeyStates = NonNullable<KeyStatesQuery['conversation']>

/**
 * Where the keys of a conversation stand. There is no subscription to that, so it is looked at again and again.
 *
 * @param onChange a version is in another state than before: messages may have become unreadable, or readable again
 */
export function useKeyStates(conversationId: string, onChange: () => void): KeyStates | null {
  const connection = useConnection()
  const { data } = useLoaded(
    async () => (await connection.query(KeyStatesDocument, { id: conversationId })).conversation ?? null,
    [connection, conversationId],
    LOOK_EVERY_MS
  )
  const before = useRef<string | null>(null)
  useEffect(() => {
    if (!data) return
    const states = data.keys.map(({ version, state }) => `${version} ${state}`).join()
    if (before.current !== null && before.current !== states) onChange()
    before.current = states
  }, [data, onChange])
  return data
}
