import type { GraphiQLProps } from 'graphiql'
import { type ExecutionResult, getOperationAST, OperationTypeNode, parse } from 'graphql'
import { createClient } from 'graphql-ws'
import { storedToken } from './token.js'

type Fetcher = GraphiQLProps['fetcher']
type FetcherParams = Parameters<Fetcher>[0]
type FetcherOptions = Parameters<Fetcher>[1]

/** Sends queries and mutations over HTTP and subscriptions over WebSocket, with the token that the page remembers. */
export const fetcher: Fetcher = ({ query, operationName, variables }, options) => {
  const headers = headersOf(options)
  const document = parse(query)
  // For a moment after another document came into the editor, GraphiQL goes on with the name and the parts of the last.
  const named = getOperationAST(document, operationName)
  const params = { query, operationName: named?.name?.value ?? null, variables }
  const { operation } = named ?? getOperationAST(document) ?? {}
  return operation === OperationTypeNode.SUBSCRIPTION ? subscribe(params, headers) : post(params, headers)
}

async function post(params: FetcherParams, headers: Record<string, string>): Promise<ExecutionResult> {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(params)
  })
  return (await response.json()) as ExecutionResult
}

/** Over a socket of its own, which knows the headers of this operation. */
async function* subscribe(
  { query, operationName, variables }: FetcherParams,
  connectionParams: Record<string, string>
): AsyncGenerator<ExecutionResult> {
  const url = new URL('/graphql', location.href)
  url.protocol = url.protocol.replace('http', 'ws')
  const client = createClient({ url: url.href, connectionParams, lazy: true })
  try {
    const results = client.iterate({
      query,
      operationName,
      variables: variables as Record<string, unknown> | null
    })
    for await (const result of results) yield result as ExecutionResult
  } catch (error) {
    throw asError(error)
  } finally {
    await client.dispose()
  }
}

/** What the page remembers, and over it what was typed into the editor of headers. */
function headersOf(options: FetcherOptions): Record<string, string> {
  const typed = Object.entries(options?.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)])
  const token = storedToken()
  return { ...(token && { authorization: `Bearer ${token}` }), ...Object.fromEntries(typed) }
}

/** A socket that was closed says why in its event; errors of an operation are a list. */
function asError(error: unknown): unknown {
  if (error instanceof CloseEvent) return new Error(error.reason || `The connection was closed (${error.code}).`)
  return error
}
