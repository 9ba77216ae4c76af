import { type ExecutionArgs, type ExecutionResult, subscribe } from 'graphql'
import { NotFound } from '../errors.js'

type Events = AsyncGenerator<ExecutionResult, void, void>

/**
 * `subscribe` of graphql, without the events whose message its viewer has lost sight of between the reading and the
 * answer, by a removal or a deletion: clients would take their error for the end of the whole stream.
 */
export async function subscribeOperation(args: ExecutionArgs): Promise<Events | ExecutionResult> {
  const result = await subscribe(args)
  return Symbol.asyncIterator in result ? withoutLost(result) : result
}

/** No generator of its own: its `return` would wait for the event that is pending, which may never come. */
function withoutLost(events: Events): Events {
  return {
    async next() {
      for (;;) {
        const result = await events.next()
        if (result.done || !isLost(result.value)) return result
      }
    },
    return: (value) => events.return(value),
    throw: (error) => events.throw(error),
    [Symbol.asyncIterator]() {
      return this
    },
    [Symbol.asyncDispose]: () => events[Symbol.asyncDispose]()
  }
}

function isLost({ data, errors }: ExecutionResult): boolean {
  return data == null && errors !== undefined && errors.every(({ originalError }) => originalError instanceof NotFound)
}
