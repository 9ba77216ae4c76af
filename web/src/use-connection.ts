import { createContext, useCallback, useContext, useEffect, useState, useSyncExternalStore } from 'react'
import type { Connection, SocketState } from './connection.js'
import { type Failure, failureOf } from './failure.js'

const ConnectionContext = createContext<Connection | null>(null)
export const ConnectionProvider = ConnectionContext.Provider

export function useConnection(): Connection {
  const connection = useContext(ConnectionContext)
  if (!connection) throw new Error('nobody is signed in')
  return connection
}

export function useSocketState(): SocketState {
  const connection = useConnection()
  return useSyncExternalStore(connection.watchState, connection.state)
}

export interface Loaded<Data> {
  data: Data | null
  failure: Failure | null
  isLoading: boolean
  reload(): Promise<void>
}

/**
 * What `load` gives, loaded again when the dependencies change; what was there before stays until then.
 *
 * @param everyMs loads it again so often, as long as the window is looked at: for what has no subscription
 */
export function useLoaded<Data>(
  load: () => Promise<Data>,
  dependencies: readonly unknown[],
  everyMs: number | null = null
): Loaded<Data> {
  const [data, setData] = useState<Data | null>(null)
  const [failure, setFailure] = useState<Failure | null>(null)
  const [isLoading, setLoading] = useState(true)
  const reload = useCallback(async () => {
    setLoading(true)
    try {
      setData(await load())
      setFailure(null)
    } catch (error) {
      setFailure(failureOf(error))
    } finally {
      setLoading(false)
    }
    // biome-ignore lint/correctness/useExhaustiveDependencies: they are the caller's
  }, dependencies)
  useEffect(() => {
    void reload()
    if (everyMs === null) return
    const timer = setInterval(() => document.visibilityState === 'visible' && void reload(), everyMs)
    return () => clearInterval(timer)
  }, [reload, everyMs])
  return { data, failure, isLoading, reload }
}

/** Runs something that may be refused, and keeps what it was refused with. */
export function useAction(): [(action: () => Promise<unknown>) => Promise<void>, Failure | null, boolean] {
  const [failure, setFailure] = useState<Failure | null>(null)
  const [isRunning, setRunning] = useState(false)
  const run = useCallback(async (action: () => Promise<unknown>) => {
    setRunning(true)
    setFailure(null)
    try {
      await action()
    } catch (error) {
      setFailure(failureOf(error))
    } finally {
      setRunning(false)
    }
  }, [])
  return [run, failure, isRunning]
}
