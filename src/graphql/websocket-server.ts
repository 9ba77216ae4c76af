import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ExecutionArgs, type GraphQLError, type GraphQLSchema, getOperationAST } from 'graphql'
import { CloseCode, type ServerOptions } from 'graphql-ws'
import { type Extra as ServerExtra, useServer } from 'graphql-ws/use/ws'
import { type WebSocket, WebSocketServer } from 'ws'
import { Unauthenticated } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { contextOf, type ResultSink } from './context.js'
import { formatError } from './format-error.js'
import { OperationsUnderWay } from './operations-under-way.js'
import { expiredToken, formatResult, isRefusal, prepareOperation } from './prepare-operation.js'
import { subscribeOperation } from './subscribe.js'
import { whenExpired } from './when-expired.js'

/** What `onConnect` leaves behind for the operations of the same socket. */
type Extra = {
  viewer?: Viewer
  stopExpiry?: () => void
}

/** How long a client may take to answer the closing handshake before its socket is cut. */
const CLOSE_WAIT_MS = 2_000

/** What a client has not taken: with more than this it is sent nothing that it does not wait for. */
const MAX_BUFFERED_BYTES = 8 * 1024

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
  const underWay = new OperationsUnderWay<WebSocket>()
  const options: Options = {
    schema,
    subscribe: (args) => subscribeOperation(args, format),
    onConnect: (context) => admit(services, context),
    onClose({ extra }) {
      extra.stopExpiry?.()
      underWay.gone(extra.socket)
    },
    // Errors are answers, and the socket stays.
    onSubscribe({ extra }, id, payload) {
      const { viewer, socket } = extra
      if (!viewer) return [expiredToken()]
      const prepared = prepareOperation(schema, contextOf(services, viewer, { sink: sinkOf(extra, id) }), payload)
      if (!isRefusal(prepared) && isAnsweredOnce(prepared)) underWay.begin(socket, id)
      return prepared
    },
    onOperation: ({ extra }, id) => underWay.executed(extra.socket, id),
    onComplete: ({ extra }, id) => underWay.answered(extra.socket, id),
    onNext: (_ctx, _id, _payload, _args, result) => result.errors && formatResult(result, format),
    onError: (_ctx, _id, _payload, errors) => errors.map(format)
  }
  useServer(options, sockets)
  server.on('upgrade', (request, socket, head) => {
    // Node leaves the socket to us, errors included, and one that nobody hears would end the process.
    socket.on('error', () => socket.destroy())
    if (request.url?.split('?', 1)[0] !== '/graphql') return refuseUpgrade(socket)
    sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket, request))
  })
  return { close: () => closeSockets(sockets, underWay) }
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
  const end = () => endSocket(extra.socket, CloseCode.Forbidden, 'Token expired')
  extra.stopExpiry = whenExpired(services, viewer, end)
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
    services.log.error({ reason: error }, 'socket could not be admitted')
    throw new Error('Something went wrong on our side. Try again.')
  }
}

/** Frames of one subscription, of which the results are written already. */
function sinkOf({ socket, request }: ServerExtra, id: string): ResultSink {
  const head = `{"id":${JSON.stringify(id)},"type":"next","payload":`
  return {
    take(results) {
      if (socket.readyState !== socket.OPEN || socket.bufferedAmount > MAX_BUFFERED_BYTES) return false
      // In one write: it takes longer than all the rest.
      request.socket.cork()
      for (const result of results) socket.send(`${head}${result}}`)
      request.socket.uncork()
      return true
    },
    async room() {
      const { promise, resolve } = Promise.withResolvers<void>()
      // Nothing, behind all that waits: there is no `drain` below the mark of the socket itself.
      if (request.socket.writable) request.socket.write('', () => resolve())
      else resolve()
      await promise
    }
  }
}

function refuseUpgrade(socket: Duplex): void {
  socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
}

/** Begins the closing handshake, and cuts a client that does not take part in it. */
function endSocket(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason)
  setTimeout(() => socket.terminate(), CLOSE_WAIT_MS).unref()
}

/** Sends clients elsewhere (1001), each when it has the answers to what it has asked. */
async function closeSockets(sockets: WebSocketServer, underWay: OperationsUnderWay<WebSocket>): Promise<void> {
  const closed = new Promise((resolve) => sockets.close(resolve))
  for (const client of sockets.clients) {
    void underWay.settled(client).then(() => endSocket(client, 1001, 'Going away'))
  }
  await closed
}

function isAnsweredOnce({ document, operationName }: ExecutionArgs): boolean {
  const operation = getOperationAST(document, operationName)
  return operation !== null && operation !== undefined && operation.operation !== 'subscription'
}
