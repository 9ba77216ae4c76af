import { AsyncLocalStorage } from 'node:async_hooks'
import { KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms'
import PQueue from 'p-queue'
import type { CallOptions } from '../master-key.js'

export interface KmsConnection {
  /** Null: as the SDK finds it. */
  region: string | null
  /** A private endpoint; null: the region's own. */
  endpoint: string | null
  requestsPerSecond: number
  /** For one request; the SDK repeats what fails in passing. */
  timeoutMs: number
  /** Left out: the SDK's own chain of environment, profile, web identity, container and instance. */
  credentials?: KMSClientConfig['credentials']
}

/** Sends one command. */
export type KmsRequest<R> = (client: KMSClient, options: { abortSignal?: AbortSignal }) => Promise<R>

/** KMS has no batches: so many keys are under way at once. */
const CONCURRENCY = 16
const ATTEMPTS = 3

/**
 * Requests to AWS KMS at a bounded rate, since its quota is shared with everybody else in the account. Whoever
 * waits for an answer goes ahead of background work. Repeated requests count as well.
 */
export class KmsCalls {
  readonly #client: KMSClient
  readonly #queue: PQueue
  readonly #call = new AsyncLocalStorage<CallOptions>()

  constructor({ region, endpoint, requestsPerSecond, timeoutMs, credentials }: KmsConnection) {
    this.#queue = new PQueue({
      concurrency: CONCURRENCY,
      intervalCap: requestsPerSecond,
      interval: 1000,
      // With fixed windows twice the rate could fall into one second.
      strict: true
    })
    this.#client = new KMSClient({
      ...(region === null ? {} : { region }),
      ...(endpoint === null ? {} : { endpoint }),
      ...(credentials === undefined ? {} : { credentials }),
      maxAttempts: ATTEMPTS,
      requestHandler: { connectionTimeout: timeoutMs, requestTimeout: timeoutMs, throwOnRequestTimeout: true }
    })
    const bounded =
      <A, R>(next: (args: A) => Promise<R>) =>
      async (args: A): Promise<R> =>
        await this.#inTurn(() => next(args))
    this.#client.middlewareStack.addRelativeTo(bounded, {
      name: 'boundedRate',
      relation: 'after',
      toMiddleware: 'retryMiddleware'
    })
  }

  /** @throws what the SDK throws */
  async run<R>(send: KmsRequest<R>, options: CallOptions): Promise<R> {
    const { signal } = options
    return await this.#call.run(options, () => send(this.#client, signal ? { abortSignal: signal } : {}))
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  async #inTurn<R>(request: () => Promise<R>): Promise<R> {
    const { background = false, signal } = this.#call.getStore() ?? {}
    return await this.#queue.add(request, { priority: background ? 0 : 1, ...(signal ? { signal } : {}) })
  }
}
