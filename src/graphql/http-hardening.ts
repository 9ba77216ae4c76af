import { hash, randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import fastifyCors from '@fastify/cors'
import proxyAddr from '@fastify/proxy-addr'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import helmet from 'helmet'
import type { Logger } from '../log.js'
import { withRequestId } from '../request-id.js'
import type { Settings } from '../services.js'

const NOTHING = 'There is nothing here. GraphQL is at /graphql, and as event streams at /graphql/stream.'
const REQUEST_ID = 'x-request-id'
const REQUEST_ID_FORM = /^[A-Za-z0-9._-]{1,64}$/
/** Headers come in at once, or from somebody who means to hold the connection. */
const HEADERS_MAX_MS = 10_000
/** How often Node looks for requests that are late. */
const LOOK_EVERY_MS = 5_000

/** What a page of this server may load: only what comes from it. A page's socket to it counts as the same origin. */
const CONTENT_SECURITY_POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'"],
  fontSrc: ["'self'"],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"]
}

/** Made once: what helmet works out of its options would otherwise be worked out for every request. */
const setSecurityHeaders = helmet({
  contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY_POLICY },
  crossOriginResourcePolicy: { policy: 'same-site' }
})

/** How often it is said that there are too many connections. */
const SAY_EVERY_MS = 60_000

type PolicyDirective = keyof typeof CONTENT_SECURITY_POLICY | 'workerSrc' | 'frameSrc'

/** The policy of a page that needs something else here and there, as the header has it. */
export function pagePolicy(changes: Partial<Record<PolicyDirective, string[]>>): string {
  return Object.entries({ ...CONTENT_SECURITY_POLICY, ...changes })
    .map(([name, sources]) => `${name.replace(/[A-Z]/g, hyphenated)} ${sources.join(' ')}`)
    .join(';')
}

/** What a policy calls a style or script by that stands in the page itself. */
export function digestSource(text: string): string {
  return `'sha256-${hash('sha256', text, 'base64')}'`
}

const hyphenated = (letter: string) => `-${letter.toLowerCase()}`

type HttpSettings = Pick<Settings, 'requestTimeoutMs' | 'trustedProxies' | 'allowedOrigins'>

/** Limits on time, for clients that send slowly on purpose; and whose word is taken for where a request is from. */
export function serverOptions({ requestTimeoutMs, trustedProxies }: HttpSettings): FastifyServerOptions {
  const trusts = proxyAddr.compile(trustedProxies)
  return {
    requestTimeout: requestTimeoutMs,
    http: {
      headersTimeout: Math.min(HEADERS_MAX_MS, requestTimeoutMs),
      connectionsCheckingInterval: Math.min(LOOK_EVERY_MS, requestTimeoutMs),
      // Some clients offer HTTP/2 (`h2c`) with every request: nobody has to take them up on it (RFC 9110, section 7.8).
      shouldUpgradeCallback: ({ headers: { upgrade } }: IncomingMessage) => upgrade?.toLowerCase() === 'websocket'
    },
    trustProxy: trustedProxies.length > 0 ? trustedProxies : false,
    requestIdHeader: false,
    // An address that cannot be decoded; the framework's own answer repeats it.
    frameworkErrors: (_error, _request, reply) => void refuseAddress(reply, 400, 'The address is malformed.'),
    genReqId: (request: IncomingMessage) => requestIdOf(request, trusts)
  } as FastifyServerOptions
}

/** Headers that tell browsers what pages may do with this server, and an id for each request. */
export async function hardenHttp(app: FastifyInstance, { allowedOrigins }: HttpSettings): Promise<void> {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header(REQUEST_ID, request.id)
    setSecurityHeaders(request.raw, reply.raw, () => withRequestId(request.id, done))
  })
  app.addHook('onRequest', async (request, reply) => {
    if (!hasHost(request)) await refuseAddress(reply, 400, 'The Host header is malformed.')
  })
  await app.register(fastifyCors, {
    origin: allowedOrigins,
    methods: ['GET', 'POST'],
    allowedHeaders: ['authorization', 'content-type', 'accept', 'apollo-require-preflight', REQUEST_ID],
    exposedHeaders: [REQUEST_ID, 'retry-after'],
    maxAge: 600
  })
  app.setNotFoundHandler((_, reply) => refuseAddress(reply, 404, NOTHING))
}

/** Limits on clients that connect, or ask for much and take nothing of it. Event streams and sockets have their own. */
export function limitConnections(
  app: FastifyInstance,
  { maxConnections, responseTimeoutMs }: Pick<Settings, 'maxConnections' | 'responseTimeoutMs'>,
  log: Logger
): void {
  // From when there is an answer: how long it takes to find one is no fault of the client. Node sets it anew for the next.
  app.addHook('onSend', (_, reply, _payload, done) => {
    reply.raw.setTimeout(responseTimeoutMs)
    done()
  })
  app.server.maxConnections = maxConnections
  let saidAt = Number.NEGATIVE_INFINITY
  app.server.on('drop', () => {
    if (performance.now() - saidAt < SAY_EVERY_MS) return
    saidAt = performance.now()
    log.warn({ maxConnections }, 'connections are refused: MAX_CONNECTIONS are open')
  })
}

/** Of pages of the server's own, of those that are allowed, and of clients that are no browsers and send none. */
export function isAllowedOrigin(
  { headers: { origin, host } }: IncomingMessage,
  { allowedOrigins }: HttpSettings
): boolean {
  if (origin === undefined || allowedOrigins.includes(origin)) return true
  return URL.canParse(origin) && new URL(origin).host === host
}

/** Whoever may choose the id can make the log tell another story: it must be a proxy, and not only behind one. */
function requestIdOf({ headers, socket }: IncomingMessage, trusts: ReturnType<typeof proxyAddr.compile>): string {
  const given = headers[REQUEST_ID]
  const isGiven = typeof given === 'string' && REQUEST_ID_FORM.test(given)
  return isGiven && trusts(socket.remoteAddress ?? '', 0) ? given : randomUUID()
}

/** What answers GraphQL makes a URL of it. Elsewhere it may be missing: probes come over HTTP/1.0. */
function hasHost({ hostname, headers, url }: FastifyRequest): boolean {
  return URL.canParse(`http://${hostname}/`) || (!headers.host && !url.startsWith('/graphql'))
}

async function refuseAddress(reply: FastifyReply, status: 400 | 404, message: string): Promise<FastifyReply> {
  const code = status === 404 ? 'NOT_FOUND' : 'BAD_USER_INPUT'
  return await reply.code(status).send({ errors: [{ message, extensions: { code } }] })
}
