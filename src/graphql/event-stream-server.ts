import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type ExecutionResult, type GraphQLSchema, getOperationAST } from 'graphql'
import { RateLimited, Unauthenticated } from '../errors.js'
import type { Services } from '../services.js'
import type { HttpAnswers } from './connection-answers.js'
import { type Context, createContext } from './context.js'
import { EventStream } from './event-stream.js'
import { codeOf, formatError } from './format-error.js'
import { executeOperation } from './note-answer.js'
import { UNKNOWN_OPERATION } from './operation-label.js'
import { expiredToken, formatResult, isRefusal, type OperationRequest, prepareOperation } from './prepare-operation.js'
import { subscribeOperation } from './subscribe.js'
import { whenExpired } from './when-expired.js'

type Results = AsyncGenerator<ExecutionResult>
type Format = (error: unknown) => ReturnType<typeof formatError>

/** What can be an operation at all. Whether it is one is for the engine to say, within the stream. */
const BODY = {
  type: 'object',
  anyOf: [{ required: ['query'] }, { required: ['extensions'] }],
  properties: {
    query: { type: 'string' },
    operationName: { type: ['string', 'null'] },
    variables: { type: ['object', 'null'] },
    extensions: { type: ['object', 'null'] }
  }
}

/**
 * Serves operations of every kind at `/graphql/stream`, one to a request, as graphql-sse's distinct connections mode
 * has it. Refused tokens, and bodies that are no request, are answered in JSON; everything else in the stream.
 */
export function serveEventStreams(
  app: FastifyInstance,
  services: Services,
  schema: GraphQLSchema,
  answers: HttpAnswers
): { close(): void } {
  const { log, config } = services
  const format: Format = (error) => formatError(log, error, config.mode === 'production')
  const subscribers = new Subscribers()
  app.post<{ Body: OperationRequest }>('/graphql/stream', { schema: { body: BODY } }, async (request, reply) => {
    if (!acceptsEvents(request)) return await refuseFormat(reply)
    let context: Context
    let release = () => {}
    try {
      context = await admit(services, request)
      if (context.viewer) {
        answers.admit(context.viewer.id, reply.raw)
        release = await services.places.take(context.viewer.id)
      }
    } catch (error) {
      services.metrics.operations.answered(UNKNOWN_OPERATION, 'event_stream', 0, [codeOf(error)])
      return await refuse(reply, error, format)
    }
    // What Fastify would have sent by itself: whether pages may read it, and the request's id.
    for (const [name, value = ''] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value)
    reply.hijack()
    const stream = new EventStream(reply.raw)
    stream.onOver(release)
    const makeRoom = () => answers.makeRoom(reply.raw)
    await answer(stream, schema, context, request.body, format, subscribers, makeRoom)
  })
  const method = ['GET', 'PUT', 'DELETE']
  app.route({ method, url: '/graphql/stream', handler: async (_, reply) => await refuseMethod(reply) })
  return { close: () => subscribers.sendElsewhere() }
}

/**
 * @throws RateLimited for an address, whoever it claims to be, or a user
 * @throws Unauthenticated
 */
async function admit(services: Services, { headers, ip }: FastifyRequest): Promise<Context> {
  const waitMs = await services.rateLimits.addressWaitMs('CONNECTIONS', ip)
  if (waitMs > 0) throw new RateLimited(waitMs)
  const context = await createContext(services, headers.authorization, 'event_stream', ip)
  if (context.viewer) await services.rateLimits.require('CONNECTIONS', context.viewer, null)
  return context
}

/** Executes an operation and sends what it gives. Errors are part of that: it does not throw. */
async function answer(
  stream: EventStream,
  schema: GraphQLSchema,
  context: Context,
  request: OperationRequest,
  format: Format,
  subscribers: Subscribers,
  makeRoom: () => void
): Promise<void> {
  const end = () => stream.complete({ errors: [format(expiredToken())] })
  stream.onOver(whenExpired(context.services, context.viewer, end))
  try {
    context.sink = stream
    const result = await perform(schema, context, request, format)
    if (isResults(result)) {
      subscribers.add(stream)
      await follow(stream, result, format)
    } else {
      makeRoom()
      stream.cutUnread(context.services.config.responseTimeoutMs)
      await stream.next(formatResult(result, format))
    }
    stream.complete()
  } catch (error) {
    stream.complete({ errors: [format(error)] })
  }
}

async function perform(
  schema: GraphQLSchema,
  context: Context,
  request: OperationRequest,
  format: Format
): Promise<ExecutionResult | Results> {
  const prepared = prepareOperation(schema, context, request)
  if (isRefusal(prepared)) return { errors: prepared }
  const operation = getOperationAST(prepared.document, prepared.operationName)
  if (operation?.operation === 'subscription') return await subscribeOperation(prepared, format)
  return await executeOperation(prepared)
}

/** Takes the next event only when the client has room for it. */
async function follow(stream: EventStream, results: Results, format: Format): Promise<void> {
  // It may be waiting for an event that never comes: a client that goes away ends the wait.
  stream.onOver(() => void results.return(undefined).catch(() => {}))
  for await (const result of results) await stream.next(formatResult(result, format))
}

/** Subscriptions that are open. Queries and mutations are finished before the server stops, these never would be. */
class Subscribers {
  readonly #streams = new Set<EventStream>()
  #closing = false

  add(stream: EventStream): void {
    this.#streams.add(stream)
    stream.onOver(() => this.#streams.delete(stream))
    if (this.#closing) stream.abort()
  }

  /** Cuts them all: clients connect again, to another process, and resume from their cursors. */
  sendElsewhere(): void {
    this.#closing = true
    for (const stream of [...this.#streams]) stream.abort()
  }
}

function isResults(result: ExecutionResult | Results): result is Results {
  return Symbol.asyncIterator in result
}

async function refuse(reply: FastifyReply, error: unknown, format: Format): Promise<FastifyReply> {
  if (error instanceof RateLimited) reply.code(429).header('retry-after', Math.ceil(error.retryAfterMs / 1000))
  else reply.code(error instanceof Unauthenticated ? 401 : 500)
  return await reply.send({ errors: [format(error)] })
}

function acceptsEvents({ headers: { accept = '*/*' } }: FastifyRequest): boolean {
  return /text\/event-stream|text\/\*|\*\/\*/i.test(accept)
}

async function refuseFormat(reply: FastifyReply): Promise<FastifyReply> {
  const message = 'Answers come as text/event-stream here. For JSON, use /graphql.'
  return await reply.code(406).send({ errors: [{ message, extensions: { code: 'BAD_USER_INPUT' } }] })
}

async function refuseMethod(reply: FastifyReply): Promise<FastifyReply> {
  const message = 'Send the operation in the body of a POST request.'
  return await reply
    .code(405)
    .header('allow', 'POST')
    .send({ errors: [{ message, extensions: { code: 'BAD_USER_INPUT' } }] })
}
