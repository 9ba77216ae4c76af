import { createContext, useContext, useEffect, useState } from 'react'

/** What the server says of itself to its console. */
export interface ConsoleSettings {
  /** Whether it gives tokens to anybody, and shows the bytes that it has stored. */
  development: boolean
}

const AGAIN_AFTER_MS = 2_000

const SettingsContext = createContext<ConsoleSettings | null>(null)
export const SettingsProvider = SettingsContext.Provider

/** Null until the server has answered. */
export function useSettings(): ConsoleSettings | null {
  return useContext(SettingsContext)
}

/** Asks the server until it answers. */
export function useServerSettings(): { settings: ConsoleSettings | null; isUnreachable: boolean } {
  const [settings, setSettings] = useState<ConsoleSettings | null>(null)
  const [isUnreachable, setUnreachable] = useState(false)
  useEffect(() => {
    let again: ReturnType<typeof setTimeout>
    const left = new AbortController()
    const ask = async () => {
      try {
        const response = await fetch('/console.json', { signal: left.signal })
        setSettings((await response.json()) as ConsoleSettings)
        setUnreachable(false)
      } catch {
        if (left.signal.aborted) return
        setUnreachable(true)
        again = setTimeout(() => void ask(), AGAIN_AFTER_MS)
      }
    }
    void ask()
    return () => {
      left.abort()
      clearTimeout(again)
    }
  }, [])
  return { settings, isUnreachable }
}
