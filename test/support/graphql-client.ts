import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'
import { type Client, createClient } from 'graphql-ws'
import WebSocket from 'ws'

export interface GraphQLErrorShape {
  message: string
  path?: (string | number)[]
  extensions: { code: string; field?: string; [more: string]: unknown }
}

export interface Result<Data> {
  status: number
  data: Data | null
  errors?: GraphQLErrorShape[]
}

/** Events of a subscription, in the order of arrival. */
export interface Subscribed<Data> {
  /** The next event; throws what ended the subscription, or when it has completed. */
  next(): Promise<Data>
  take(count: number): Promise<Data[]>
  /** Settles when the subscription has ended: with the errors that ended it, or with null. */
  ended: Promise<GraphQLErrorShape[] | null>
  stop(): void
}

/** A user of the server at `url`, over plain HTTP and over graphql-ws. */
export class GraphQLClient {
  readonly #url: string
  readonly #token: string | null
  readonly #sockets: Client[] = []

  constructor(url: string, token: string | null) {
    this.#url = `${url}/graphql`
    this.#token = token
  }

  async execute<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables?: Variables
  ): Promise<Result<Data>> {
    return await this.post({ query: print(document), variables })
  }

  /** @throws when the result has errors */
  async run<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables?: Variables): Promise<Data> {
    const { data, errors } = await this.execute(document, variables)
    if (errors || !data) throw new Error(`operation failed: ${JSON.stringify(errors)}`)
    return data
  }

  async post<Data>(request: object): Promise<Result<Data>> {
    const authorization = this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization },
      body: JSON.stringify(request)
    })
    return { status: response.status, ...((await response.json()) as Omit<Result<Data>, 'status'>) }
  }

  subscribe<Data extends Record<string, unknown>, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables
  ): Subscribed<Data> {
    const socket = this.#connect()
    const arrived: Data[] = []
    let wake = Promise.withResolvers<void>()
    const end = Promise.withResolvers<GraphQLErrorShape[] | null>()
    let over: { errors: GraphQLErrorShape[] | null } | null = null
    const finish = (errors: GraphQLErrorShape[] | null) => {
      over ??= { errors }
      end.resolve(over.errors)
      wake.resolve()
    }
    const stop = socket.subscribe<Data>(
      { query: print(document), variables },
      {
        next: ({ data, errors }) => {
          if (errors) return finish(errors as unknown as GraphQLErrorShape[])
          if (data) arrived.push(data)
          wake.resolve()
        },
        error: (error) =>
          finish(Array.isArray(error) ? error : [{ message: describe(error), extensions: { code: 'SOCKET' } }]),
        complete: () => finish(null)
      }
    )
    const next = async (): Promise<Data> => {
      for (;;) {
        const event = arrived.shift()
        if (event) return event
        if (over) throw new Error(`subscription ended: ${JSON.stringify(over.errors)}`)
        await wake.promise
        wake = Promise.withResolvers<void>()
      }
    }
    return {
      next,
      ended: end.promise,
      stop,
      async take(count) {
        const events: Data[] = []
        while (events.length < count) events.push(await next())
        return events
      }
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) await socket.dispose()
  }

  #connect(): Client {
    const socket = createClient({
      url: this.#url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }
    })
    this.#sockets.push(socket)
    return socket
  }
}

function describe(error: unknown): string {
  const { code, reason, message } = error as { code?: number; reason?: string; message?: string }
  return code ? `${code} ${reason}` : String(message)
}
