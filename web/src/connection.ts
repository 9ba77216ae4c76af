import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { createClient } from 'graphql-ws'
import { SendMessageDocument } from '../../documents/generated.js'
import type { Pending } from './chat/conversation-log.js'
import type { Drafts } from './chat/drafts.js'
import { Outbox } from './chat/outbox.js'
import { type Failure, failureOf, isRefusal, isSignedOut } from './failure.js'
import { fetchWithin } from './fetch-within.js'
import type { Session } from './session.js'
import type { Unsent } from './unsent.js'

export type SocketState = 'IDLE' | 'LIVE' | 'AWAY'

/** Nothing is subscribed to, and the library has closed the socket. */
const NORMAL = 1000
const FIRST_WAIT_MS = 300
const LONGEST_WAIT_MS = 10_000
/** A socket on which nothing comes back any more, as after a sleep, is closed by whoever notices first. */
const PING_EVERY_MS = 10_000
const PONG_WITHIN_MS = 5_000
const ACKNOWLEDGED_WITHIN_MS = 10_000
/** What hangs longer is tried again: the next message of its conversation waits for it. */
const ANSWERED_WITHIN_MS = 30_000

/** Everything that goes to the server and comes from it, for one session. */
export class Connection {
  readonly client: ApolloClient
  readonly session: Session
  readonly drafts: Drafts
  readonly #socket: ReturnType<typeof createClient>
  readonly #unsent: Unsent
  readonly #onSignedOut: (waiting: number) => void
  readonly #listeners = new Set<() => void>()
  readonly #outboxes = new Map<string, Outbox>()
  #state: SocketState = 'IDLE'
  #sockets = 0
  #hasRunOut = false
  #awaitingPong: ReturnType<typeof setTimeout> | undefined

  /** @param onSignedOut is told how many messages wait for the next session */
  constructor(session: Session, unsent: Unsent, onSignedOut: (waiting: number) => void) {
    this.session = session
    this.drafts = unsent.draftsOf(session.userId)
    this.#unsent = unsent
    this.#onSignedOut = onSignedOut
    const authorization = `Bearer ${session.token}`
    this.#socket = createClient({
      url: `${location.origin.replace('http', 'ws')}/graphql`,
      connectionParams: { authorization },
      // The library would subscribe again from the first cursor; following does it from the last.
      retryAttempts: 0,
      keepAlive: PING_EVERY_MS,
      connectionAckWaitTimeout: ACKNOWLEDGED_WITHIN_MS,
      on: {
        ping: (received) => {
          if (!received) this.#awaitingPong = setTimeout(() => this.#socket.terminate(), PONG_WITHIN_MS)
        },
        pong: (received) => {
          if (received) clearTimeout(this.#awaitingPong)
        },
        connected: () => {
          this.#sockets += 1
          this.#enter('LIVE')
          this.#takeOver()
        },
        closed: (event) => {
          clearTimeout(this.#awaitingPong)
          this.#enter((event as CloseEvent).code === NORMAL ? 'IDLE' : 'AWAY')
        }
      }
    })
    this.client = new ApolloClient({
      cache: new InMemoryCache(),
      // Whoever asks after an event would be given the answer to a question asked before it.
      queryDeduplication: false,
      link: ApolloLink.split(
        ({ operationType }) => operationType === 'subscription',
        new GraphQLWsLink(this.#socket),
        new HttpLink({ uri: '/graphql', headers: { authorization }, fetch: fetchWithin(ANSWERED_WITHIN_MS) })
      )
    })
  }

  readonly watchState = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly state = (): SocketState => this.#state

  /** How many there were, up to the one of now. */
  readonly sockets = (): number => this.#sockets

  /** @throws what {@link failureOf} reads */
  async query<Data, Variables extends Record<string, unknown>>(
    query: TypedDocumentNode<Data, Variables>,
    variables: Variables
  ): Promise<Data> {
    // Nothing is read from the cache: a page of the inbox took a tenth of a second to be written into it.
    const { data } = await this.client.query<Data>({ query, variables, fetchPolicy: 'no-cache' })
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
    variables: () => Variables | Promise<Variables>,
    onData: (data: Data) => void,
    signal: AbortSignal
  ): Promise<Failure | null> {
    let waitMs = FIRST_WAIT_MS
    while (!signal.aborted) {
      try {
        await this.#subscribe(query, await variables(), signal, (data: Data) => {
          waitMs = FIRST_WAIT_MS
          onData(data)
        })
        return null
      } catch (error) {
        if (signal.aborted) return null
        const failure = failureOf(error)
        if (this.#isFinal(failure)) return failure
        await this.#pauseUntilLive(failure.retryAfterMs ?? waitMs * (0.5 + Math.random()), signal)
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
        if (signal.aborted) throw error
      }
    }
  }

  outboxOf(conversationId: string): Outbox {
    const known = this.#outboxes.get(conversationId)
    if (known) return known
    const outbox = new Outbox(async ({ clientMessageId, body, replyToId }, signal) => {
      const input = { conversationId, body, clientMessageId, replyToId }
      return (await this.persistently(() => this.run(SendMessageDocument, { input }), signal)).sendMessage.message
    })
    this.#outboxes.set(conversationId, outbox)
    return outbox
  }

  /** What was not sent, or was refused, in whatever conversation. */
  unsent(): Pending[] {
    return [...this.#outboxes.values()].flatMap((outbox) => outbox.unsent())
  }

  close(): void {
    for (const [conversationId, outbox] of this.#outboxes) {
      if (this.#hasRunOut) this.#unsent.leave(this.session.userId, conversationId, outbox.unsent())
      outbox.close()
    }
    if (!this.#hasRunOut) this.drafts.clear()
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
        next: ({ data, error }) => {
          if (!error) return data && onData(data as Data)
          // The server may go on with it: beside the one that follows, everything would come twice.
          subscription.unsubscribe()
          reject(error)
        },
        error: reject,
        complete: resolve
      })
      signal.addEventListener('abort', () => subscription.unsubscribe(), { once: true })
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  /** Where another subscription has a socket again, this one need not wait any longer. */
  async #pauseUntilLive(ms: number, signal: AbortSignal): Promise<void> {
    const isLive = new AbortController()
    const unwatch = this.watchState(() => this.#state === 'LIVE' && isLive.abort())
    await pause(ms, AbortSignal.any([signal, isLive.signal]))
    unwatch()
  }

  #isFinal(failure: Failure): boolean {
    if (!isSignedOut(failure)) return isRefusal(failure)
    if (!this.#hasRunOut) {
      this.#hasRunOut = true
      this.#onSignedOut(this.unsent().filter(({ refusal }) => refusal === null).length)
    }
    return true
  }

  /** Not before the server has let the token in: whoever wrote it may have put any name into it. */
  #takeOver(): void {
    const left = this.#unsent.take(this.session.userId)
    for (const [conversationId, pending] of left) this.outboxOf(conversationId).takeOver(pending)
  }

  #enter(state: SocketState): void {
    this.#state = state
    for (const listener of this.#listeners) listener()
  }
}

/** Ends early when the signal aborts, or when somebody comes back to the window or into the network. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
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
    window.addEventListener('online', end, listening)
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && end(), listening)
  })
}
