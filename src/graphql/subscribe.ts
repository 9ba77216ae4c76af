import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, execute, type GraphQLError } from 'graphql'
import type { MessageEvent } from '../delivery/conversation-log.js'
import type { LiveConsumer } from '../delivery/follower.js'
import { NotFound } from '../errors.js'
import { type Context, contextOf } from './context.js'
import type { formatError } from './format-error.js'
import { noteAnswer } from './note-answer.js'
import { operationLabel } from './operation-label.js'
import { formatResult } from './prepare-operation.js'
import { shareKeyOf } from './share-key.js'

type Events = AsyncGenerator<ExecutionResult, void, void>
type Format = (error: GraphQLError) => ReturnType<typeof formatError>

/**
 * `subscribe` of graphql, for transports that can be given results they did not ask for: what happens while somebody
 * is subscribed is executed and written out once for all who have asked for the same.
 *
 * Events are left out whose message its viewer has lost sight of between the reading and the answer, by a removal or a
 * deletion: clients would take their error for the end of the whole stream.
 */
export async function subscribeOperation(args: ExecutionArgs, format: Format): Promise<Events | ExecutionResult> {
  const context = args.contextValue as Context
  context.consumer = consumerOf(args, format)
  const source = await createSourceEventStream(args)
  const isRefused = !(Symbol.asyncIterator in source)
  noteAnswer(args, isRefused ? source.errors : undefined)
  return isRefused ? source : executed(args, source[Symbol.asyncIterator]())
}

/** No generator of its own: its `return` would wait for the event that is pending, which may never come. */
function executed(args: ExecutionArgs, source: AsyncIterator<unknown>): Events {
  const end = { done: true as const, value: undefined }
  const { services, arrival } = args.contextValue as Context
  const left = services.metrics.operations.subscribed(operationLabel(args), arrival.transport)
  return {
    async next() {
      for (;;) {
        const event = await nextOf(source, left)
        if (event.done) return end
        const result = await execute({ ...args, rootValue: event.value })
        if (!isLost(result)) return { done: false, value: result }
      }
    },
    async return() {
      left()
      await source.return?.()
      return end
    },
    async throw(error) {
      left()
      await source.throw?.(error)
      return end
    },
    [Symbol.asyncIterator]() {
      return this
    },
    async [Symbol.asyncDispose]() {
      left()
      await source.return?.()
    }
  }
}

/** @param ended called with the last event, or the error in its place */
async function nextOf(source: AsyncIterator<unknown>, ended: () => void): Promise<IteratorResult<unknown>> {
  try {
    const event = await source.next()
    if (event.done) ended()
    return event
  } catch (error) {
    ended()
    throw error
  }
}

/** @returns null where the transport takes only what it asks for */
function consumerOf(args: ExecutionArgs, format: Format): LiveConsumer | null {
  const { sink, services, viewer, arrival } = args.contextValue as Context
  if (!sink) return null
  const shareKey = shareKeyOf(args)
  return {
    shareKey: shareKey ?? Symbol('shared with nobody'),
    async render(event: MessageEvent, visibleAfter: number) {
      // For several, it must not depend on whether the one in whose name it runs is still a member.
      const sight = { conversationId: event.message.conversationId, visibleAfter }
      const contextValue = shareKey === null ? args.contextValue : contextOf(services, viewer, arrival, { sight })
      const result = await execute({ ...args, rootValue: event, contextValue })
      return isLost(result) ? null : JSON.stringify(formatResult(result, format))
    },
    take: (rendered) => sink.take(rendered),
    room: () => sink.room()
  }
}

function isLost({ data, errors }: ExecutionResult): boolean {
  return data == null && errors !== undefined && errors.every(({ originalError }) => originalError instanceof NotFound)
}
