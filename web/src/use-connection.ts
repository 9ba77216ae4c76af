import { createContext, useCallback, useContext, useEffect, useRef, useState, useSyncExternalStore } from 'react'
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
  const asked = useRef(0)
  /** Answers to questions before this one come too late. */
  const earliest = useRef(0)
  const reload = useCallback(async () => {
    asked.current += 1
    const sequence = asked.current
    const inTime = (take: () => void) => {
      if (sequence < earliest.current) return
      earliest.current = sequence
      take()
    }
    setLoading(true)
    try {
      const loaded = await load()
      inTime(() => {
        setData(loaded)
        setFailure(null)
      })
    } catch (error) {
      inTime(() => setFailure(failureOf(error)))
    } finally {
      inTime(() => setLoading(false))
    }
    // biome-ignore lint/correctness/useExhaustiveDependencies: they are the caller's
  }, dependencies)
  useEffect(() => {
    earliest.current = asked.current + 1
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
