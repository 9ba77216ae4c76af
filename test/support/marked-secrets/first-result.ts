import { EventStreamClient, type StreamResult } from '../event-streams.js'
import { askOver, openSocket, type Transport } from '../transports.js'

export interface Asked {
  query: string
  variables?: Record<string, unknown>
}

/** What a request is answered with; where it is refused as a whole, what that says. */
export async function firstResult(
  transport: Transport,
  url: string,
  token: string,
  asked: Asked
): Promise<StreamResult> {
  try {
    return await askOver(transport, url, token, asked)
  } catch (error) {
    return { errors: [refusal(error)] }
  }
}

/** The first event of a subscription, over one of the transports that have them. */
export async function firstEvent(
  transport: Exclude<Transport, 'HTTP'>,
  url: string,
  token: string,
  asked: Asked
): Promise<StreamResult> {
  return transport === 'WebSocket' ? await overSocket(url, token, asked) : await overStream(url, token, asked)
}

async function overSocket(url: string, token: string, asked: Asked): Promise<StreamResult> {
  const client = openSocket(url, token)
  try {
    return await new Promise((resolve) => {
      client.subscribe(asked, {
        next: (result) => resolve(result as StreamResult),
        error: (errors) => resolve({ errors: Array.isArray(errors) ? errors : [refusal(errors)] }),
        complete: () => resolve({})
      })
    })
  } finally {
    await client.dispose()
  }
}

async function overStream(url: string, token: string, asked: Asked): Promise<StreamResult> {
  const client = new EventStreamClient(url, token)
  try {
    return (await client.first(asked)) ?? {}
  } catch (error) {
    return { errors: [refusal(error)] }
  } finally {
    client.close()
  }
}

/** A response that is no stream, or the code and the words that a socket is closed with. */
function refusal(error: unknown) {
  const { message, code, reason } = error as { message?: string; code?: number; reason?: string }
  return { message: [message, code, reason].filter(Boolean).join(' '), extensions: { code: 'REFUSED' } }
}
