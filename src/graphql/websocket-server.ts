import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import proxyAddr from '@fastify/proxy-addr'
import { GraphQLError, type GraphQLSchema, getOperationAST } from 'graphql'
import { CloseCode, GRAPHQL_TRANSPORT_WS_PROTOCOL, type ServerOptions } from 'graphql-ws'
import { type Extra as ServerExtra, useServer } from 'graphql-ws/use/ws'
import { WebSocket, WebSocketServer } from 'ws'
import { BadUserInput, Conflict, RateLimited, Unauthenticated } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Logger } from '../log.js'
import type { Services } from '../services.js'
import { arrivalBy, contextOf, type ResultSink } from './context.js'
import { cutDeadPeer } from './dead-peers.js'
import { formatError } from './format-error.js'
import { isAllowedOrigin } from './http-hardening.js'
import { executeOperation, noteRefusal } from './note-answer.js'
import { OperationsUnderWay } from './operations-under-way.js'
import { expiredToken, formatResult, isRefusal, prepareOperation } from './prepare-operation.js'
import { subscribeOperation } from './subscribe.js'
import { isForThisMachine } from './this-machine-only.js'
import { type Channel, MAX_UNREAD, type UnreadBytes } from './unread-bytes.js'
import { whenExpired } from './when-expired.js'

/** Tells nobody of what could not be written: the library prints each, and what ends a socket is heard by itself. */
class QuietSocket extends WebSocket {
  override send(data: Parameters<WebSocket['send']>[0], ...more: unknown[]): void {
    const written = more.find((argument) => typeof argument === 'function')
    if (written) super.send(data, () => written())
    else super.send(data)
  }
}

/** What `onConnect` leaves behind for the operations of the same socket. */
type Extra = {
  viewer?: Viewer
  stopExpiry?: () => void
  /** Gives the user's place to another socket. */
  release?: () => void
  /** What the user's other answers have to make room for. */
  channel?: Channel
}

/** Between the socket's opening and the token. */
const INIT_WAIT_MS = 10_000
/** A peer that does not answer a ping until the next one is taken for dead. */
const PING_EVERY_MS = 12_000
/** The library takes any pong for an answer to its ping. */
const PINGS_OF_ITS_OWN = 0

/** How long a client may take to answer the closing handshake before its socket is cut. */
const CLOSE_WAIT_MS = 2_000

/** Of the id that a client gives an operation, and that is kept, and sent with each of its events. */
const MAX_ID_LENGTH = 128

/** What a client has not taken: with more than this it is sent nothing that it does not wait for. */
const MAX_BUFFERED_BYTES = 8 * 1024

interface Bounds {
  unread: UnreadBytes
  /** Bytes of a frame. */
  maxPayload: number
  /** Whether upgrades that were sent to another name are refused. */
  thisMachineOnly: boolean
}

/** The second is how explorers write it, which send headers as they were typed. */
type ConnectionParams = { authorization?: string; Authorization?: string }
type Options = ServerOptions<ConnectionParams, ServerExtra & Extra>

/**
 * Serves `graphql-transport-ws` at `/graphql`. The token in `connectionParams.authorization` is checked
 * before any operation; the socket closes with 4403 when it is refused, and when it expires.
 */
export function serveWebSocket(
  server: Server,
  services: Services,
  schema: GraphQLSchema,
  { unread, maxPayload, thisMachineOnly }: Bounds
): { close(): Promise<void> } {
  const { log, config } = services
  const format = (error: GraphQLError) => formatError(log, error, config.mode === 'production')
  const bounds = { maxPayload, closeTimeout: CLOSE_WAIT_MS }
  const sockets = new WebSocketServer({ noServer: true, WebSocket: QuietSocket, ...bounds })
  const underWay = new OperationsUnderWay<WebSocket>()
  const trusts = proxyAddr.compile(config.trustedProxies)
  const addressOf = (request: IncomingMessage) => proxyAddr(request, trusts)
  const options: Options = {
    schema,
    execute: executeOperation,
    subscribe: (args) => subscribeOperation(args, format),
    connectionInitWaitTimeout: INIT_WAIT_MS,
    onConnect: (context) => admit(services, context),
    onClose({ extra }) {
      extra.stopExpiry?.()
      extra.release?.()
      underWay.gone(extra.socket)
      if (extra.viewer && extra.channel) unread.forget(extra.viewer.id, extra.channel)
    },
    // Errors are answers, and the socket stays.
    onSubscribe({ extra, subscriptions }, id, payload) {
      const { viewer, socket, request } = extra
      if (!viewer) return [expiredToken()]
      if (id.length > MAX_ID_LENGTH) return [idTooLong()]
      if (underWay.has(socket, id)) return [idInUse()]
      if (underWay.count(socket, subscriptions) >= config.operationsPerSocket) return [tooManyOperations()]
      const refused = refusalOfUnread(unread, viewer)
      if (refused) return [refused]
      const context = contextOf(services, viewer, arrivalBy('websocket'), {
        sink: sinkOf(extra, id),
        address: addressOf(request)
      })
      const prepared = prepareOperation(schema, context, payload)
      if (isRefusal(prepared)) return prepared
      const operation = getOperationAST(prepared.document, prepared.operationName)
      if (operation) underWay.begin(socket, id, operation.operation)
      // Refused by the library, which does not ask to have it executed.
      else noteRefusal(context, [new GraphQLError('There is no such operation in the document.')])
      return prepared
    },
    onPing: ({ extra }) => makeRoom(unread, extra),
    onOperation: ({ extra }, id) => underWay.executed(extra.socket, id),
    onComplete: ({ extra }, id) => underWay.answered(extra.socket, id),
    onNext({ extra }, _id, _payload, _args, result) {
      makeRoom(unread, extra)
      return result.errors && formatResult(result, format)
    },
    onError({ extra }, _id, _payload, errors) {
      makeRoom(unread, extra)
      return errors.map(format)
    }
  }
  useServer(options, sockets, PINGS_OF_ITS_OWN)
  sockets.on('connection', (socket) => {
    hearErrors(socket, log)
    cutDeadPeer(socket, PING_EVERY_MS)
    cutDeafPeer(socket)
  })
  server.on('upgrade', (request, socket: Socket, head) => {
    // Node leaves the socket to us, errors included, and one that nobody hears would end the process.
    socket.on('error', () => socket.destroy())
    void refusalOf(services, request, addressOf(request), thisMachineOnly).then((refusal) => {
      if (refusal) return refuseUpgrade(socket, refusal)
      sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket, request))
    })
  })
  return { close: () => closeSockets(sockets, underWay) }
}

/** Cuts a client that goes on talking and takes nothing: also before its token, and of pings of the protocol below. */
function cutDeafPeer(socket: WebSocket): void {
  const look = () => {
    if (socket.bufferedAmount > MAX_UNREAD) socket.terminate()
  }
  for (const event of ['message', 'ping']) socket.prependListener(event, look)
}

/** Also after a closing frame: what the client has not read stays until it does, or the connection ends. */
function channelOf({ socket, request }: ServerExtra): Channel {
  return {
    get unreadBytes() {
      return request.socket.destroyed ? 0 : socket.bufferedAmount
    },
    cut: () => socket.terminate()
  }
}

function makeRoom(unread: UnreadBytes, extra: ServerExtra & Extra): void {
  // Nothing is sent over a connection that has ended, and nobody would forget it again.
  if (!extra.viewer || extra.request.socket.destroyed) return
  extra.channel ??= channelOf(extra)
  unread.makeRoom(extra.viewer.id, extra.channel)
}

/** @returns null for a user who may ask for more */
function refusalOfUnread(unread: UnreadBytes, { id }: Viewer): GraphQLError | null {
  try {
    unread.requireRead(id)
    return null
  } catch (error) {
    const originalError = error as RateLimited
    return new GraphQLError(originalError.message, { originalError })
  }
}

/** In the place of the library's own, which writes to the console whatever a client does wrong. */
function hearErrors(socket: WebSocket, log: Logger): void {
  socket.removeAllListeners('error')
  socket.on('error', (error) => {
    log.debug({ reason: error }, 'socket failed')
    socket.close(CloseCode.InternalServerError)
  })
}

/** @returns the status line of an answer, and further headers; null for an upgrade that may go on */
async function refusalOf(
  { config, rateLimits }: Services,
  request: IncomingMessage,
  address: string,
  thisMachineOnly: boolean
): Promise<string[] | null> {
  // Before anything else: what is refused for another reason costs a connection as well.
  const waitMs = await rateLimits.addressWaitMs('CONNECTIONS', address)
  if (waitMs > 0) return ['429 Too Many Requests', `Retry-After: ${Math.ceil(waitMs / 1000)}`]
  if (thisMachineOnly && !isForThisMachine(request)) return ['421 Misdirected Request']
  if (request.url?.split('?', 1)[0] !== '/graphql') return ['404 Not Found']
  if (!isAllowedOrigin(request, config)) return ['403 Forbidden']
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  return offered.includes(GRAPHQL_TRANSPORT_WS_PROTOCOL) ? null : ['400 Bad Request']
}

/** @returns whether the socket may be used: false closes it with 4403, unless it was closed before */
async function admit(
  services: Services,
  { connectionParams, extra }: Parameters<NonNullable<Options['onConnect']>>[0]
): Promise<boolean> {
  const { socket } = extra
  try {
    const authorization = connectionParams?.authorization ?? connectionParams?.Authorization
    const viewer = await services.authenticate(typeof authorization === 'string' ? authorization : '')
    await services.rateLimits.require('CONNECTIONS', viewer, null)
    await services.users.see(viewer)
    const release = await services.places.take(viewer.id)
    // It may have gone meanwhile, and would leave its place and the timer behind.
    if (socket.readyState !== socket.OPEN) {
      release()
      return false
    }
    extra.release = release
    extra.viewer = viewer
    extra.stopExpiry = whenExpired(services, viewer, () => endSocket(socket, CloseCode.Forbidden, 'Token expired'))
    return true
  } catch (error) {
    if (error instanceof RateLimited) socket.close(CloseCode.TooManyInitialisationRequests, closeReasonOf(error))
    else if (error instanceof Unauthenticated) socket.close(CloseCode.Forbidden, error.message)
    else {
      services.log.error({ reason: error }, 'socket could not be admitted')
      throw new Error('Something went wrong on our side. Try again.')
    }
    return false
  }
}

/** What an answer would have as its `extensions`: there is room for 123 bytes (RFC 6455, section 5.5). */
function closeReasonOf({ code, retryAfterMs }: RateLimited): string {
  return JSON.stringify({ code, retryAfterMs })
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

/** Node's server no longer looks after the socket: nobody else ends it when the client does not, or does not read. */
function refuseUpgrade(socket: Socket, [status, ...headers]: string[]): void {
  socket.once('finish', () => socket.destroy())
  socket.setTimeout(CLOSE_WAIT_MS, () => socket.destroy())
  socket.end([`HTTP/1.1 ${status}`, ...headers, 'Connection: close', 'Content-Length: 0', '', ''].join('\r\n'))
}

/** Whoever ends one may begin another at once. */
function tooManyOperations(): GraphQLError {
  const originalError = new RateLimited(1_000, 'Too many operations over one socket. End one first.')
  return new GraphQLError(originalError.message, { originalError })
}

function idTooLong(): GraphQLError {
  const originalError = new BadUserInput('id', `The id of an operation has ${MAX_ID_LENGTH} characters at most.`)
  return new GraphQLError(originalError.message, { originalError })
}

/** The library forgets an id as soon as the client has completed it, and would take the end of one for that of the other. */
function idInUse(): GraphQLError {
  const originalError = new Conflict('An operation with this id has not ended yet. Use another id.')
  return new GraphQLError(originalError.message, { originalError })
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
