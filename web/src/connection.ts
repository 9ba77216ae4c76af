import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client'
import { CombinedGraphQLErrors } from '@apollo/client/errors'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { createClient } from 'graphql-ws'
import type { Session } from './session.js'

export type SocketState = 'IDLE' | 'LIVE' | 'AWAY'

/** What ended a subscription or a request. */
export interface Failure {
  /** `extensions.code` of the server's answer, the code that closed the socket, or null for the network. */
  code: string | number | null
  message: string
  retryAfterMs: number | null
}

/** Another try would end in the same way. */
const FINAL = ['FORBIDDEN', 'NOT_FOUND', 'BAD_USER_INPUT', 'CONFLICT', 'KEY_DESTROYED', 'QUERY_TOO_COMPLEX']
const SIGNED_OUT = ['UNAUTHENTICATED', 401, 4403]
/** Nothing is subscribed to, and the library has closed the socket. */
const NORMAL = 1000
const FIRST_WAIT_MS = 300
const LONGEST_WAIT_MS = 10_000
/** A socket on which nothing comes back any more, as after a sleep, is closed by whoever notices first. */
const PING_EVERY_MS = 10_000
const PONG_WITHIN_MS = 5_000

/** Everything that goes to the server and comes from it, for one session. */
export class Connection {
  readonly client: ApolloClient
  readonly session: Session
  readonly #socket: ReturnType<typeof createClient>
  readonly #onSignedOut: () => void
  readonly #listeners = new Set<() => void>()
  #state: SocketState = 'IDLE'
  #awaitingPong: ReturnType<typeof setTimeout> | undefined

  constructor(session: Session, onSignedOut: () => void) {
    this.session = session
    this.#onSignedOut = onSignedOut
    const authorization = `Bearer ${session.token}`
    this.#socket = createClient({
      url: `${location.origin.replace('http', 'ws')}/graphql`,
      connectionParams: { authorization },
      // The library would subscribe again from the first cursor; following does it from the last.
      retryAttempts: 0,
      keepAlive: PING_EVERY_MS,
      on: {
        ping: (received) => {
          if (!received) this.#awaitingPong = setTimeout(() => this.#socket.terminate(), PONG_WITHIN_MS)
        },
        pong: (received) => {
          if (received) clearTimeout(this.#awaitingPong)
        },
        connected: () => this.#enter('LIVE'),
        closed: (event) => {
          clearTimeout(this.#awaitingPong)
          this.#enter((event as CloseEvent).code === NORMAL ? 'IDLE' : 'AWAY')
        }
      }
    })
    this.client = new ApolloClient({
      cache: new InMemoryCache(),
      link: ApolloLink.split(
        ({ operationType }) => operationType === 'subscription',
        new GraphQLWsLink(this.#socket),
        new HttpLink({ uri: '/graphql', headers: { authorization } })
      )
    })
  }

  readonly watchState = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly state = (): SocketState => this.#state

  /** @throws what {@link failureOf} reads */
  async query<Data, Variables extends Record<string, unknown>>(
    query: TypedDocumentNode<Data, Variables>,
    variables: Variables
  ): Promise<Data> {
    const { data } = await this.client.query<Data>({ query, variables, fetchPolicy: 'network-only' })
    return data as Data
  }

  /** @throws what {@link failureOf} reads */
  async run<Data, Variables extends Record<string, unknown>>(
    mutation: TypedDocumentNode<Data, Variables>,
    variables: Variables
  ): Promise<Data> {
    const { data } = await this.client.mutate<Data>({ mutation, variables, fetchPolicy: 'no-cache' })
    return data as Data
  }

  /**
   * Takes part in a subscription until the signal aborts or the server ends it, through as many sockets as it needs.
   *
   * @param variables where the next attempt begins
   * @returns null when the server completed it; otherwise what ended it for good
   */
  async follow<Data, Variables extends Record<string, unknown>>(
    query: TypedDocumentNode<Data, Variables>,
    variables: () => Variables,
    onData: (data: Data) => void,
    signal: AbortSignal
  ): Promise<Failure | null> {
    let waitMs = FIRST_WAIT_MS
    while (!signal.aborted) {
      try {
        await this.#subscribe(query, variables(), signal, (data: Data) => {
          waitMs = FIRST_WAIT_MS
          onData(data)
        })
        return null
      } catch (error) {
        if (signal.aborted) return null
        const failure = failureOf(error)
        if (this.#isFinal(failure)) return failure
        await pause(failure.retryAfterMs ?? waitMs * (0.5 + Math.random()), signal)
        waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)
      }
    }
    return null
  }

  /** Tries a change that is safe to repeat until it is answered. @throws Failure when the answer is a refusal */
  async persistently<Result>(attempt: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      try {
        return await attempt()
      } catch (error) {
        const failure = failureOf(error)
        if (signal.aborted || this.#isFinal(failure)) throw error
        await pause(failure.retryAfterMs ?? waitMs, signal)
      }
    }
  }

  close(): void {
    this.client.stop()
    clearTimeout(this.#awaitingPong)
    void this.#socket.dispose()
  }

  async #subscribe<Data, Variables extends Record<string, unknown>>(
    query: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    signal: AbortSignal,
    onData: (data: Data) => void
  ): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const subscription = this.client.subscribe<Data>({ query, variables, fetchPolicy: 'no-cache' }).subscribe({
        next: ({ data, error }) => (error ? reject(error) : data && onData(data as Data)),
        error: reject,
        complete: resolve
      })
      signal.addEventListener('abort', () => subscription.unsubscribe(), { once: true })
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  #isFinal({ code }: Failure): boolean {
    if (SIGNED_OUT.includes(code ?? '')) {
      this.#onSignedOut()
      return true
    }
    return FINAL.includes(String(code))
  }

  #enter(state: SocketState): void {
    this.#state = state
    for (const listener of this.#listeners) listener()
  }
}

export function failureOf(error: unknown): Failure {
  if (CombinedGraphQLErrors.is(error)) {
    const [first] = error.errors
    const { code, retryAfterMs } = (first?.extensions ?? {}) as { code?: string; retryAfterMs?: number }
    return { code: code ?? null, message: first?.message ?? error.message, retryAfterMs: retryAfterMs ?? null }
  }
  const { message, statusCode } = error as { message: string; statusCode?: number }
  const [, closeCode] = /^Socket closed with event (\d+)/.exec(message) ?? []
  const code = statusCode ?? (closeCode ? Number(closeCode) : null)
  return { code, message: code === null ? 'The server cannot be reached.' : message, retryAfterMs: null }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const over = new AbortController()
    const end = () => {
      clearTimeout(timer)
      over.abort()
      resolve()
    }
    const timer = setTimeout(end, ms)
    const listening = { signal: over.signal }
    signal.addEventListener('abort', end, listening)
    // Whoever comes back to the window, or into the network, does not wait for the rest of it.
    window.addEventListener('online', end, listening)
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && end(), listening)
  })
}
