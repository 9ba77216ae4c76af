import { useSyncExternalStore } from 'react'

/** Where one is in the console: behind the `#` of the address, so that a reload comes back to it. */
export type Route =
  | { view: 'chat'; conversationId: string | null }
  | { view: 'keys'; conversationId: string }
  | { view: 'operations' }

export function useRoute(): Route {
  const hash = useSyncExternalStore(watch, () => location.hash)
  return routeOf(hash)
}

export function hrefOf(route: Route): string {
  if (route.view === 'operations') return '#/operations'
  if (route.view === 'keys') return `#/conversations/${route.conversationId}/keys`
  return route.conversationId ? `#/conversations/${route.conversationId}` : '#/'
}

export function goTo(route: Route): void {
  location.hash = hrefOf(route)
}

function routeOf(hash: string): Route {
  const [, first, id, second] = hash.split('/')
  if (first === 'operations') return { view: 'operations' }
  if (first === 'conversations' && id) {
    return second === 'keys' ? { view: 'keys', conversationId: id } : { view: 'chat', conversationId: id }
  }
  return { view: 'chat', conversationId: null }
}

function watch(listener: () => void): () => void {
  window.addEventListener('hashchange', listener)
  return () => window.removeEventListener('hashchange', listener)
}
