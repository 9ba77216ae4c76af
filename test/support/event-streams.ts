import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'
import { type Client, createClient, type RequestParams } from 'graphql-sse'
import type { GraphQLErrorShape } from './graphql-client.js'

export interface StreamResult {
  data?: Record<string, unknown> | null
  errors?: GraphQLErrorShape[]
}

/** A user of the server at `url`, over graphql-sse. It does not retry. */
export class EventStreamClient {
  readonly #client: Client

  constructor(url: string, token: string | null) {
    this.#client = createClient({
      url: `${url}/graphql/stream`,
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      retryAttempts: 0
    })
  }

  /** Every result until the stream completes. */
  async all(request: RequestParams): Promise<StreamResult[]> {
    const results: StreamResult[] = []
    for await (const result of this.#client.iterate(request)) results.push(result as unknown as StreamResult)
    return results
  }

  /** The first result; the stream is then closed. */
  async first(request: RequestParams): Promise<StreamResult | undefined> {
    for await (const result of this.#client.iterate(request)) return result as unknown as StreamResult
    return undefined
  }

  subscribe<Data extends Record<string, unknown>, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables
  ): StreamedResults<Data> {
    return new StreamedResults(this.#client.iterate({ query: print(document), variables }))
  }

  close(): void {
    this.#client.dispose()
  }
}

/** Results of a subscription, in the order of arrival. */
export class StreamedResults<Data> {
  readonly #results: AsyncIterableIterator<unknown>

  constructor(results: AsyncIterableIterator<unknown>) {
    this.#results = results
  }

  /** @throws when the result has errors, when the stream has completed, or when its connection is lost */
  async next(): Promise<Data> {
    const { done, value } = await this.#results.next()
    const { data, errors } = (value ?? {}) as { data?: Data; errors?: unknown }
    if (done || errors || !data) throw new Error(`no event: ${JSON.stringify({ done, errors })}`)
    return data
  }

  async take(count: number): Promise<Data[]> {
    const events: Data[] = []
    while (events.length < count) events.push(await this.next())
    return events
  }

  /** The codes of the errors that end the stream, with nothing after them; null when it simply completes. */
  async end(): Promise<string[] | null> {
    const { done, value } = await this.#results.next()
    if (done) return null
    const { errors } = value as StreamResult
    if (!errors || !(await this.#results.next()).done) throw new Error(`not the end: ${JSON.stringify(value)}`)
    return errors.map(({ extensions }) => extensions.code)
  }

  async stop(): Promise<void> {
    await this.#results.return?.()
  }
}
