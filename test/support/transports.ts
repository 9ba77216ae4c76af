import { type Client, createClient, type SubscribePayload } from 'graphql-ws'
import WebSocket from 'ws'
import { EventStreamClient, type StreamResult } from './event-streams.js'

/** Every way in which an operation can be asked for. */
export const TRANSPORTS = ['HTTP', 'WebSocket', 'event stream'] as const
export type Transport = (typeof TRANSPORTS)[number]

/**
 * Sends a request past what clients check themselves.
 *
 * @param url of the server
 * @returns the first result, as a client sees it
 */
export async function askOver(
  transport: Transport,
  url: string,
  token: string,
  request: Partial<SubscribePayload>
): Promise<StreamResult> {
  if (transport === 'WebSocket') return await askSocket(url, token, { query: '', ...request })
  if (transport === 'event stream') return await askStream(url, token, request)
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(request)
  })
  return (await response.json()) as StreamResult
}

async function askStream(url: string, token: string, request: Partial<SubscribePayload>): Promise<StreamResult> {
  const client = new EventStreamClient(url, token)
  try {
    return (await client.all(request as never))[0] ?? {}
  } finally {
    client.close()
  }
}

async function askSocket(url: string, token: string, request: SubscribePayload): Promise<StreamResult> {
  const client = openSocket(url, token)
  try {
    return await askOn(client, request)
  } finally {
    await client.dispose()
  }
}

/** A graphql-ws client that does not retry. @param url of the server */
export function openSocket(url: string, token: string): Client {
  return createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { authorization: `Bearer ${token}` }
  })
}

/** @returns the last result of an operation; throws where the socket is closed before its end */
export async function askOn(client: Client, request: SubscribePayload): Promise<StreamResult> {
  return await new Promise((resolve, reject) => {
    let result: StreamResult = {}
    client.subscribe(request, {
      next: (next) => (result = next as StreamResult),
      error: (errors) => (Array.isArray(errors) ? resolve({ errors }) : reject(errors)),
      complete: () => resolve(result)
    })
  })
}
