import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { GraphQLSchema } from 'graphql'
import { CloseCode } from 'graphql-ws'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocketServer } from 'ws'
import { Unauthenticated } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { contextOf } from './context.js'
import { formatError } from './format-error.js'

/** What `onConnect` leaves behind for the operations of the same socket. */
type Extra = {
  viewer?: Viewer
  expiry?: NodeJS.Timeout
}

/** Longest delay that a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1
/** How long a client may take to answer the closing handshake before its socket is cut. */
const CLOSE_WAIT_MS = 2_000

/**
 * Serves `graphql-transport-ws` at `/graphql`. The token in `connectionParams.authorization` is checked
 * before any operation; the socket closes with 4403 when it is refused, and when it expires.
 */
export function serveWebSocket(
  server: Server,
  services: Services,
  schema: GraphQLSchema,
  maxPayload: number
): { close(): Promise<void> } {
  const { clock, log } = services
  const sockets = new WebSocketServer({ noServer: true, maxPayload })
  useServer<{ authorization?: string }, Extra>(
    {
      schema,
      onConnect: async ({ connectionParams, extra }) => {
        const authorization = connectionParams?.authorization
        const viewer = await authenticated(services, typeof authorization === 'string' ? authorization : '')
        if (!viewer) return false
        extra.viewer = viewer
        if (viewer.expiresAt) {
          const delay = Math.min(viewer.expiresAt.getTime() - clock.now().getTime(), MAX_TIMER_MS)
          extra.expiry = setTimeout(() => extra.socket.close(CloseCode.Forbidden, 'Token expired'), delay)
        }
        return true
      },
      onClose: ({ extra }) => clearTimeout(extra.expiry),
      context: ({ extra }) => contextOf(services, extra.viewer ?? null),
      // A result without `data` means that nothing was executed; it stays without.
      onNext: (_ctx, _id, _payload, _args, { data, errors }) =>
        errors && {
          ...(data === undefined ? {} : { data }),
          errors: errors.map((error) => formatError(log, error))
        },
      onError: (_ctx, _id, _payload, errors) => errors.map((error) => formatError(log, error))
    },
    sockets
  )
  server.on('upgrade', (request, socket, head) => {
    if (new URL(request.url ?? '', 'http://conclave').pathname !== '/graphql') return refuseUpgrade(socket)
    sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket, request))
  })
  return { close: () => closeSockets(sockets) }
}

/** @returns null for a token that is refused; anything else that goes wrong closes the socket with 4500 */
async function authenticated(services: Services, authorization: string): Promise<Viewer | null> {
  try {
    return await services.authenticate(authorization)
  } catch (error) {
    if (error instanceof Unauthenticated) return null
    services.log.error({ reason: (error as Error).message }, 'token could not be checked')
    throw new Error('The token could not be checked. Try again.')
  }
}

function refuseUpgrade(socket: Duplex): void {
  socket.end(`HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

/** Sends clients elsewhere (1001) and cuts those that do not answer. */
async function closeSockets(sockets: WebSocketServer): Promise<void> {
  for (const client of sockets.clients) client.close(1001, 'Going away')
  const cut = setTimeout(() => {
    for (const client of sockets.clients) client.terminate()
  }, CLOSE_WAIT_MS)
  await new Promise((resolve) => sockets.close(resolve))
  clearTimeout(cut)
}
