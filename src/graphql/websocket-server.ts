import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ExecutionArgs, GraphQLError, type GraphQLSchema, parse, specifiedRules, validate } from 'graphql'
import { CloseCode, type ServerOptions, type SubscribePayload } from 'graphql-ws'
import { type Extra as ServerExtra, useServer } from 'graphql-ws/use/ws'
import { type WebSocket, WebSocketServer } from 'ws'
import { Unauthenticated } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { contextOf } from './context.js'
import { formatError } from './format-error.js'
import { extraRules } from './validation-rules.js'

/** What `onConnect` leaves behind for the operations of the same socket. */
type Extra = {
  viewer?: Viewer
  expiry?: NodeJS.Timeout
}

/** Longest delay that a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1
/** How long a client may take to answer the closing handshake before its socket is cut. */
const CLOSE_WAIT_MS = 2_000

type Options = ServerOptions<{ authorization?: string }, ServerExtra & Extra>

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
  const { log, config } = services
  const format = (error: GraphQLError) => formatError(log, error, config.mode === 'production')
  const sockets = new WebSocketServer({ noServer: true, maxPayload })
  const options: Options = {
    schema,
    onConnect: (context) => admit(services, context),
    onClose: ({ extra }) => clearTimeout(extra.expiry),
    onSubscribe: ({ extra }, _id, payload) => prepare(services, schema, extra.viewer, payload),
    // A result without `data` means that nothing was executed; it stays without.
    onNext: (_ctx, _id, _payload, _args, { data, errors }) =>
      errors && {
        ...(data === undefined ? {} : { data }),
        errors: errors.map(format)
      },
    onError: (_ctx, _id, _payload, errors) => errors.map(format)
  }
  useServer(options, sockets)
  server.on('upgrade', (request, socket, head) => {
    // Node leaves the socket to us, errors included, and one that nobody hears would end the process.
    socket.on('error', () => socket.destroy())
    if (request.url?.split('?', 1)[0] !== '/graphql') return refuseUpgrade(socket)
    sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket, request))
  })
  return { close: () => closeSockets(sockets) }
}

/** What Apollo does over HTTP, where this transport has nothing of its own: errors are answers, the socket stays. */
function prepare(
  services: Services,
  schema: GraphQLSchema,
  viewer: Viewer | undefined,
  { query, operationName, variables }: SubscribePayload
): ExecutionArgs | readonly GraphQLError[] {
  // The timer may be late: no operation begins under a token that has run out.
  if (!viewer || (viewer.expiresAt !== null && viewer.expiresAt <= services.clock.now())) return [expired()]
  try {
    const document = parse(query)
    const errors = validate(schema, document, [...specifiedRules, ...extraRules(services.config)])
    if (errors.length > 0) return errors
    const contextValue = contextOf(services, viewer)
    return { schema, document, operationName: operationName ?? null, variableValues: variables ?? null, contextValue }
  } catch (error) {
    if (error instanceof GraphQLError) return [error]
    throw error
  }
}

/** @returns whether the socket may be used: false closes it with 4403 */
async function admit(
  services: Services,
  { connectionParams, extra }: Parameters<NonNullable<Options['onConnect']>>[0]
): Promise<boolean> {
  const authorization = connectionParams?.authorization
  const viewer = await authenticated(services, extra.socket, typeof authorization === 'string' ? authorization : '')
  // It may have gone meanwhile, and would leave the timer behind.
  if (!viewer || extra.socket.readyState !== extra.socket.OPEN) return false
  extra.viewer = viewer
  if (viewer.expiresAt) {
    const delayMs = Math.min(viewer.expiresAt.getTime() - services.clock.now().getTime(), MAX_TIMER_MS)
    extra.expiry = setTimeout(() => endSocket(extra.socket, CloseCode.Forbidden, 'Token expired'), delayMs)
  }
  return true
}

/** @returns null for a token that is refused; anything else that goes wrong closes the socket with 4500 */
async function authenticated(services: Services, socket: WebSocket, authorization: string): Promise<Viewer | null> {
  try {
    const viewer = await services.authenticate(authorization)
    await services.users.see(viewer)
    return viewer
  } catch (error) {
    if (error instanceof Unauthenticated) {
      socket.close(CloseCode.Forbidden, error.message)
      return null
    }
    services.log.error({ reason: (error as Error).message }, 'socket could not be admitted')
    throw new Error('Something went wrong on our side. Try again.')
  }
}

function expired(): GraphQLError {
  const originalError = new Unauthenticated('The token has expired. Get a new one.')
  return new GraphQLError(originalError.message, { originalError })
}

function refuseUpgrade(socket: Duplex): void {
  socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
}

/** Begins the closing handshake, and cuts a client that does not take part in it. */
function endSocket(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason)
  setTimeout(() => socket.terminate(), CLOSE_WAIT_MS).unref()
}

/** Sends clients elsewhere (1001). */
async function closeSockets(sockets: WebSocketServer): Promise<void> {
  for (const client of sockets.clients) endSocket(client, 1001, 'Going away')
  await new Promise((resolve) => sockets.close(resolve))
}
