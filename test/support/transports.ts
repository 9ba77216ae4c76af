import { createClient, type SubscribePayload } from 'graphql-ws'
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
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { authorization: `Bearer ${token}` }
  })
  try {
    return await new Promise((resolve, reject) => {
      let result: StreamResult = {}
      client.subscribe(request, {
        next: (next) => (result = next as StreamResult),
        error: (errors) => (Array.isArray(errors) ? resolve({ errors }) : reject(errors)),
        complete: () => resolve(result)
      })
    })
  } finally {
    await client.dispose()
  }
}
