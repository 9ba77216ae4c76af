import { AsyncLocalStorage } from 'node:async_hooks'

/** The id of the HTTP request under which something happens: it stands in every entry of the log. */
const current = new AsyncLocalStorage<string>()

export function currentRequestId(): string | undefined {
  return current.getStore()
}

export function withRequestId(id: string, run: () => void): void {
  current.run(id, run)
}
