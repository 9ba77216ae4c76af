import {
  ApolloServer,
  type GraphQLRequestContextDidResolveOperation,
  type GraphQLRequestContextResponseForOperation,
  type GraphQLRequestContextWillSendResponse,
  type GraphQLResponse,
  HeaderMap
} from '@apollo/server'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled
} from '@apollo/server/plugin/disabled'
import fastifyApollo from '@as-integrations/fastify'
import fastify, { type FastifyError, type FastifyReply, type FastifyRequest } from 'fastify'
import { GraphQLError, type GraphQLSchema } from 'graphql'
import { BadUserInput, ConclaveError, type ErrorCode, RateLimited, Unauthenticated } from '../errors.js'
import { faultOf } from '../reason-of.js'
import type { Services } from '../services.js'
import { isThisMachine } from '../this-machine.js'
import { tracedRequest } from '../tracing/traced.js'
import { HttpAnswers } from './connection-answers.js'
import { serveConsole } from './console.js'
import { type Context, createContext } from './context.js'
import { serveEventStreams } from './event-stream-server.js'
import { serveExplorers } from './explorers.js'
import { serveExports } from './export-download.js'
import { codeOf, formatError } from './format-error.js'
import { hardenHttp, limitConnections, serverOptions } from './http-hardening.js'
import { serveJobBoard } from './job-board/serve-job-board.js'
import { listen } from './listen.js'
import { operationLabel, UNKNOWN_OPERATION } from './operation-label.js'
import type { OperationSource } from './persisted-queries.js'
import { formatResult, prepareDocument, requireAffordable } from './prepare-operation.js'
import { addMetrics, addProbes } from './probes.js'
import { createSchema } from './schema.js'
import { answerThisMachineOnly } from './this-machine-only.js'
import { traceRequests } from './trace-requests.js'
import { UnreadAnswers } from './unread-answers.js'
import { UnreadBytes } from './unread-bytes.js'
import { extraRules, parseOptions, validationOptions } from './validation-rules.js'
import { serveWebSocket } from './websocket-server.js'

type Format = (error: unknown) => ReturnType<typeof formatError>

export interface HttpServer {
  /** Where it listens, with the port that the system gave where 0 was asked for. */
  url: string
  /** Stops accepting, finishes what is under way over every transport, sends subscribers elsewhere. */
  close(): Promise<void>
}

/** Bytes of a body in JSON at worst: six for a character that takes one, and the rest of the request. */
const requestBytes = (maxBodyBytes: number) => maxBodyBytes * 6 + 64 * 1024

const POST_JSON = 'Send operations as POST requests with content-type application/json: {"query": "{ viewer { id } }"}'
const SUBSCRIPTIONS = 'Subscriptions go over WebSocket, to the same address, or as event streams to /graphql/stream.'
const FAULT = 'Something went wrong on our side. Try again.'

/**
 * Serves GraphQL at `/graphql` over HTTP and WebSocket, at `/graphql/stream` as event streams, and the probes.
 *
 * @throws StartError when the port is taken
 */
export async function startHttpServer(services: Services): Promise<HttpServer> {
  const { config, log } = services
  const devToken = config.mode !== 'production' && !services.authentication.jwksUrl && isThisMachine(config.host)
  const schema = createSchema({ devToken })
  const maxBytes = requestBytes(config.maxBodyBytes)
  const app = fastify({
    ...serverOptions(config),
    bodyLimit: maxBytes,
    forceCloseConnections: 'idle',
    return503OnClosing: true
  })
  const format: Format = (error) => formatError(log, error, config.mode === 'production')
  const apollo = new ApolloServer<Context>({
    schema,
    introspection: true,
    parseOptions: parseOptions(config),
    validationRules: extraRules(config),
    validationOptions: validationOptions(config),
    includeStacktraceInErrorResponses: false,
    documentStore: services.documents.forApollo(),
    persistedQueries: { cache: services.persistedQueries.forApollo() },
    stopOnTerminationSignals: false,
    formatError: (_, error) => format(error),
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      // It would look at every field that is resolved; nothing here is for caches on the way.
      ApolloServerPluginCacheControlDisabled(),
      {
        contextCreationDidFail: async ({ error }) => countRefusal(services, codeOf(error)),
        requestDidStart: async () => ({
          didResolveOperation: (request) => requireExecutable(request),
          responseForOperation: (request) => respond(services, format, request),
          willSendResponse: async (request) => countAnswer(services, request)
        })
      }
    ]
  })
  await apollo.start()
  app.setErrorHandler((error: FastifyError, request, reply) => refuseRequest(services, error, request, reply))
  await hardenHttp(app, config)
  limitConnections(app, config, log)
  traceRequests(app, config)
  if (devToken) answerThisMachineOnly(app)
  app.addHook('onRequest', async (_, reply) => void reply.header('cache-control', 'no-store'))
  let isClosing = false
  // A connection whose request was under way when the server was told to stop would wait for another, for a minute.
  app.addHook('onResponse', async () => isClosing && app.server.closeIdleConnections())
  const unread = new UnreadBytes()
  const httpAnswers = new HttpAnswers(app, unread)
  const answers = new UnreadAnswers()
  app.addHook('onRequest', async (_, reply) => answers.add(reply.raw))
  // Only JSON, which no page of another origin can have a browser send unasked.
  app.removeContentTypeParser('text/plain')
  app.route({ method: ['PUT', 'DELETE'], url: '/graphql', handler: async (_, reply) => await refuseMethod(reply) })
  // Queries may come by GET; whoever opens the address in a browser is told what it is for.
  app.addHook('onRequest', async (request, reply) => {
    if (request.method === 'GET' && request.url === '/graphql') await refuseMethod(reply)
  })
  await app.register(fastifyApollo(apollo), {
    context: async (request, reply) => {
      const context = await admit(services, httpAnswers, request, reply).catch(asHttpError)
      requireAllowed(context, schema, request)
      return context
    }
  })
  addProbes(app, services)
  serveExports(app, services, format)
  await serveConsole(app, devToken)
  await serveExplorers(app, config)
  await serveJobBoard(app, services)
  if (config.metricsBesideGraphql) addMetrics(app, services)
  const streams = serveEventStreams(app, services, schema, httpAnswers)
  const bounds = { unread, maxPayload: maxBytes, thisMachineOnly: devToken }
  const sockets = serveWebSocket(app.server, services, schema, bounds)
  const url = await listen(app, config.host, config.port, { host: 'HOST', port: 'PORT' })
  return {
    url,
    async close() {
      isClosing = true
      const closed = app.close()
      streams.close()
      const cutting = answers.cut()
      await sockets.close()
      await closed
      clearInterval(cutting)
      await apollo.stop()
    }
  }
}

/** @throws Unauthenticated; RateLimited for a user who is to read first, or has had too many documents refused */
async function admit(
  services: Services,
  answers: HttpAnswers,
  { headers, ip }: FastifyRequest,
  { raw }: FastifyReply
): Promise<Context> {
  const context = await createContext(services, headers.authorization, 'http', ip)
  if (context.viewer) answers.admit(context.viewer.id, raw)
  services.refusals.requireFew(context)
  return context
}

/** A refused token is a refused request (RFC 6750, section 3.1), whatever the operation was; so is one that is too much. */
function asHttpError(error: unknown): never {
  if (!(error instanceof Unauthenticated || error instanceof RateLimited)) throw error
  const status = error instanceof RateLimited ? 429 : 401
  const headers = new HeaderMap()
  if (error instanceof RateLimited) headers.set('retry-after', String(Math.ceil(error.retryAfterMs / 1000)))
  throw new GraphQLError(error.message, { originalError: error, extensions: { http: { status, headers } } })
}

/** In the place of Apollo's own execution. An operation that does not exist is left to that, and to its words. */
async function respond(
  { executor }: Services,
  format: Format,
  { schema, document, operation, request, contextValue }: GraphQLRequestContextResponseForOperation<Context>
): Promise<GraphQLResponse | null> {
  if (!operation) return null
  const { operationName = null, variables = null } = request
  const names = { operationName, variableValues: variables }
  const args = { schema, document, contextValue, ...names }
  const { data, errors } = await tracedRequest(operationLabel(args), () => executor.execute(args))
  const status = data === undefined ? 400 : undefined
  const singleResult = formatResult({ data, errors }, format)
  return { http: { headers: new HeaderMap(), ...(status ? { status } : {}) }, body: { kind: 'single', singleResult } }
}

/**
 * Refuses an operation that may not run here, and a document in which one thing is wrong, such as a limit that it is
 * over. Apollo comes upon the document later, and has no place of its own for limits; more faults than one it finds again.
 */
function requireAllowed(context: Context, schema: GraphQLSchema, request: FastifyRequest): void {
  try {
    const text = context.services.persistedQueries.requireAllowed(sourceOf(request))
    const prepared = text ? prepareDocument(context, schema, text) : null
    if (prepared && 'length' in prepared && prepared.length === 1) throw prepared[0]
  } catch (error) {
    throw asRefusal(error)
  }
}

/** A refusal of the request, and not of some field of it. */
function asRefusal(error: unknown): unknown {
  const extensions = { http: { status: 400 } }
  if (error instanceof ConclaveError) return new GraphQLError(error.message, { originalError: error, extensions })
  if (!(error instanceof GraphQLError)) return error
  const { nodes = null, source = null, positions = null, originalError = error } = error
  return new GraphQLError(error.message, { nodes, source, positions, originalError, extensions })
}

/** Read as Apollo reads it. What is no request at all it refuses itself. */
function sourceOf({ method, url, body }: FastifyRequest): OperationSource {
  if (method === 'POST') {
    const { query, extensions } = (body ?? {}) as { query?: unknown; extensions?: unknown }
    return { query: typeof query === 'string' ? query : null, extensions: asRecord(extensions) }
  }
  const parameters = new URL(url, 'http://localhost').searchParams
  return { query: parameters.get('query'), extensions: asRecord(parseJson(parameters.get('extensions') ?? 'null')) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function asRecord(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown> | null) : null
}

/** Whatever has become of it: executed or refused. */
function countAnswer(
  { metrics }: Services,
  { schema, document, operation, operationName, response, contextValue }: GraphQLRequestContextWillSendResponse<Context>
): void {
  const { transport, startedAt } = contextValue.arrival
  const label = document && operation ? operationLabel({ schema, document, operationName }) : UNKNOWN_OPERATION
  const errors = response.body.kind === 'single' ? response.body.singleResult.errors : undefined
  const codes = errors?.map(({ extensions }) => String(extensions?.code)) ?? []
  metrics.operations.answered(label, transport, performance.now() - startedAt, codes)
}

/** Of a request that was refused before anybody had looked for an operation in it. */
function countRefusal({ metrics }: Services, code: ErrorCode): void {
  metrics.operations.answered(UNKNOWN_OPERATION, 'http', 0, [code])
}

/** Refuses what must not be executed: subscriptions, and what costs too much with its variables. */
async function requireExecutable({
  schema,
  document,
  operation,
  request,
  contextValue
}: GraphQLRequestContextDidResolveOperation<Context>): Promise<void> {
  try {
    // HTTP answers once; left to itself, the engine would execute the field as if it were a query.
    if (operation?.operation === 'subscription') throw new BadUserInput('query', SUBSCRIPTIONS)
    const { operationName = null, variables = null } = request
    requireAffordable(contextValue, { schema, document, operationName, variableValues: variables })
  } catch (error) {
    throw asRefusal(error)
  }
}

/**
 * Requests that do not reach GraphQL (no JSON, too large) are refused in the form that its clients read. What is no
 * fault of theirs is logged as other faults are: by its name and place.
 */
async function refuseRequest(
  services: Services,
  error: FastifyError,
  { id: requestId }: FastifyRequest,
  reply: FastifyReply
): Promise<void> {
  const status = error.statusCode ?? 500
  if (status >= 500) services.log.error({ ...faultOf(error), requestId }, 'a request failed')
  const message = status === 415 ? POST_JSON : status < 500 ? error.message : FAULT
  const code: ErrorCode = status < 500 ? 'BAD_USER_INPUT' : 'INTERNAL'
  countRefusal(services, code)
  await reply.code(status).send({ errors: [{ message, extensions: { code } }] })
}

async function refuseMethod(reply: FastifyReply): Promise<FastifyReply> {
  const errors = [{ message: POST_JSON, extensions: { code: 'BAD_USER_INPUT' } }]
  return await reply.code(405).header('allow', 'POST').send({ errors })
}
